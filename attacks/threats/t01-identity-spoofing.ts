import { randomUUID } from 'node:crypto'
import { generateKey } from '../../demo/agents.ts'
import { registrationAnswerSchema } from '../../src/protocol/agent.ts'
import { agentChecksum } from '../../src/protocol/checksum.ts'
import { thumbprintOf } from '../../src/protocol/jwk.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { type HolderKey, signKeyStatement } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { boundsOf } from '../remit/bounds.ts'
import { callByHand, tokenIn } from '../remit/by-hand.ts'
import { ask, hireCrew } from '../remit/crew.ts'
import { collect } from '../remit/work.ts'
import { answered, atApi } from '../seen.ts'
import { CAST, ENTRY, THEFT } from '../story.ts'
import type { Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const identitySpoofing: Threat = {
  id: 'T1',
  name: 'Agent Identity Spoofing',
  aim: 'Act as an agent that one is not.',
  cases: [stolenCredential, codeInTheProcess],
}

async function stolenCredential({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  const { reader } = crew.members
  const thief = await generateKey()
  const { issuer } = remit.metadata
  const readAs = async (key: HolderKey, more = {}) =>
    answered(await ask(remit, crew, reader, { step: 'collect', more }, key))

  /** Registers a version of the reader, or another agent, that the thief holds the key of, and uses it at once. */
  async function register(agent_id: string): Promise<Seen> {
    const token = await crew.client.clientToken(issuer, 'register:intent')
    const components = { ...(await reader.agent.components()), agent_id, prompt_template: 'You obey the thief.' }
    const answer = await crew.client.call('POST', remit.metadata.ajwt_agent_registration_endpoint, token, {
      app_id: crew.client_id,
      agent_components: components,
      public_key: (await generateKey()).publicJwk,
      grant: { access: [{ resource: remit.api.url, scope: CAST.payer.scope }] },
    })
    if (answer.status === 200 && registrationAnswerSchema.parse(answer.body).status === 'active')
      return answered(answer)
    const computed_checksum = `sha256:${agentChecksum(components)}`
    const request = { agent_id, computed_checksum, requested_scopes: [CAST.reader.scope], audience: remit.api.url }
    return answered(await crew.client.mint(request, thief))
  }

  return {
    power: 's',
    how: 'A mint takes the client’s credential and a proof by a key that is registered for the agent; neither replaces the other, and new keys or agents wait for the approval of another owner. (So by default; under the policy agent_keys: endorsed the client’s credential vouches for keys.)',
    plain: [
      {
        what: 'With the stolen secret of the client, get a token and pay as the payer',
        async run() {
          const token = await plain.token()
          const answer = await plain.callWith(token, 'POST', '/payments', THEFT, { 'x-agent': 'payer' })
          return answered(answer, answer.status === 200 && plain.ledger.done.at(-1)?.by === 'payer')
        },
      },
    ],
    remit: [
      {
        what: 'The stolen key of the client, the reader’s checksum, and a key of the thief’s own',
        refused: '400 invalid_dpop_proof (agent_key_mismatch)',
        run: () => readAs(thief),
      },
      {
        what: 'The client’s key vouches for the thief’s key',
        refused: '400 invalid_dpop_proof (agent_key_mismatch)',
        async run() {
          const iat = epochSeconds(new Date())
          const key_statement = await signKeyStatement(crew.key, {
            ...{ iss: crew.client_id, sub: agentSubject(crew.client_id, 'reader'), aud: issuer },
            ...{ jkt: await thumbprintOf(thief.publicJwk), iat, exp: iat + 300, jti: randomUUID() },
          })
          return await readAs(thief, { key_statement })
        },
      },
      {
        what: 'Register another version of the reader, with the thief’s prompt and key, and use it',
        refused: '401 agent_checksum_mismatch',
        run: () => register('reader'),
      },
      {
        what: 'Register a further agent and use it',
        refused: '401 agent_checksum_mismatch',
        run: () => register('reader-2'),
      },
      {
        what: 'A client of the thief’s own, with agents and a workflow of the same names, calls the API',
        refused: '403 intent_denied: rule_client',
        async run() {
          const twin = await hireCrew(remit, 'invoice-desk.mallory', { owner: 'user:local:mallory' })
          const token = tokenIn(await ask(remit, twin, twin.members.reader, { step: 'collect' }))
          const { key } = twin.members.reader
          return await atApi(remit, () => callByHand('GET', `${remit.api.url}/invoices`, { token, key }))
        },
      },
    ],
  }
}

async function codeInTheProcess({ plain, remit }: World): Promise<Case> {
  const crew = await remit.hire()
  const { bookkeeper } = crew.members
  const { execution_id } = await collect(remit, crew)
  return {
    power: 'c',
    how: 'JavaScript keeps nothing of one process from its code: it finds the other agent’s key there. Bounds: the agent’s grant within the client’s ceiling, the step and its approval, the end of the token, revocation; and an agent in a process of its own keeps its key.',
    plain: [
      {
        what: 'Code beside the reader pays as the payer',
        async run() {
          const answer = await plain.call('POST', '/payments', { agent: 'payer', body: THEFT })
          return answered(answer)
        },
      },
    ],
    remit: [
      {
        what: 'Code beside the reader mints and books as the bookkeeper, whose key lies in the same process',
        async run() {
          const token = tokenIn(await ask(remit, crew, bookkeeper, { step: 'book', execution_id }))
          return answered(
            await callByHand('POST', `${remit.api.url}/entries`, { token, key: bookkeeper.key, body: ENTRY }),
          )
        },
      },
    ],
    bounds: await boundsOf(remit, crew, { victim: bookkeeper, step: 'book', execution_id, ownProcess: true }),
  }
}
