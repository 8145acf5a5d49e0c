import { decodeJwt } from 'jose'
import { type Answer, callApi, send } from '../../demo/remit-client.ts'
import { boundsOf } from '../remit/bounds.ts'
import { tokenIn } from '../remit/by-hand.ts'
import { ask, type Crew, hireCrew } from '../remit/crew.ts'
import type { Remit } from '../remit/office.ts'
import { collect } from '../remit/work.ts'
import { answered, clientToken } from '../seen.ts'
import { CAST } from '../story.ts'
import type { Attempt, Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const configurationExposure: Threat = {
  id: 'T12',
  name: 'Agent Configuration Exposure',
  aim: 'Read the prompt, the tools and the configuration of an agent.',
  cases: [curiousAgent, stolenCredential, codeInTheProcess],
}

/** In the payer's prompt and nowhere else. */
const SECRET = 'Limit of the house bank'
if (!CAST.payer.prompt.includes(SECRET)) throw new Error('The story has changed.')

/** What a client may have besides that reads its own agents. */
const READING = ' read:agents read:agent-components'

/** Whether an answer tells of the payer's prompt. */
function told({ status, headers, body }: Answer): Seen {
  const got = JSON.stringify(body).includes(SECRET)
  const { answer } = answered({ status, headers, body })
  return { got, answer: got ? `${answer} with the prompt` : status === 200 ? '200 without it' : answer }
}

async function curiousAgent({ plain, remit }: World): Promise<Case> {
  const { crew, metadata } = remit
  const { reader } = crew.members
  const url = `${metadata.issuer}/intent/agents/${crew.client_id}/payer`
  const token = async () => tokenIn(await ask(remit, crew, reader, { step: 'collect' }))
  return {
    power: 'm',
    how: 'An agent’s token is for its API alone and opens nothing at Remit; what Remit shows without one is keys, never prompts, and a token carries a hash.',
    plain: [
      {
        what: 'The reader reads the definitions that the app keeps for its agents',
        async run() {
          const answer = await plain.call('GET', '/agents', { agent: 'reader' })
          return told(answer)
        },
      },
    ],
    remit: [
      {
        what: 'The reader fetches the payer’s record',
        refused: '401 invalid_token',
        run: async () => told(await send('GET', url, {})),
      },
      {
        what: 'The reader fetches it with its token',
        refused: '401 invalid_token',
        run: async () => told(await callApi('GET', url, await token(), reader.key)),
      },
      {
        what: 'What is public of the payer',
        refused: '200 without it',
        run: async () => told(await send('GET', `${url}/jwks`, {})),
      },
      {
        what: 'What is in a token',
        refused: '200 without it',
        async run() {
          const { members } = crew
          const { execution_id } = await collect(remit, crew)
          const minted = await ask(remit, crew, members.bookkeeper, { step: 'book', execution_id })
          const claims = decodeJwt(tokenIn(minted))
          const got = [CAST.bookkeeper.prompt, CAST.bookkeeper.tool].some(text => JSON.stringify(claims).includes(text))
          return { got, answer: got ? '200 with the prompt' : '200 without it' }
        },
      },
    ],
  }
}

async function stolenCredential({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  return {
    power: 's',
    how: 'Prompts and tools are read with a scope of their own, which an app at work does not have; other clients’ agents answer like unknown ones.',
    plain: [
      {
        what: 'Read the definitions with the stolen secret of the client',
        run: async () => told(await plain.callWith(await plain.token(), 'GET', '/agents')),
      },
    ],
    remit: [
      ...readings(remit, crew),
      {
        what: 'With the credential of another client, ask for the agents of this one',
        refused: '404 not_found',
        async run() {
          const other = await hireCrew(remit, 'invoice-desk.rival', { owner: 'user:local:mallory', more: READING })
          const { issuer } = remit.metadata
          const token = await other.client.clientToken(issuer, READING.trim())
          const url = `${issuer}/intent/agents/${crew.client_id}/payer`
          return told(await other.client.call('GET', url, token))
        },
      },
    ],
  }
}

async function codeInTheProcess({ plain, remit }: World): Promise<Case> {
  const crew = await remit.hire()
  const { reader } = crew.members
  const { execution_id } = await collect(remit, crew)
  return {
    power: 'c',
    how: 'What the process runs, code in it reads. Bounds: only what runs in this process; Remit tells the rest to none of its credentials; and knowing a prompt mints nothing without the key.',
    plain: [
      {
        what: 'Read the definitions of all agents with the shared token',
        run: async () => told(await plain.call('GET', '/agents', { agent: 'reader' })),
      },
    ],
    remit: [
      {
        what: 'Read the prompt of an agent of the same process from memory',
        async run() {
          const { prompt_template } = await crew.members.payer.agent.components()
          return { got: prompt_template.includes(SECRET), answer: 'the prompt' }
        },
      },
    ],
    bounds: [
      ...readings(remit, crew),
      ...(await boundsOf(remit, crew, { victim: reader, step: 'collect', execution_id })),
    ],
  }
}

/** Everything that the client's credential may ask Remit about its agents. */
function readings(remit: Remit, { client, client_id, members }: Crew): readonly Attempt[] {
  const { issuer } = remit.metadata
  const url = `${issuer}/intent/agents/${client_id}/payer`
  const registering = () => client.clientToken(issuer, 'register:intent')
  return [
    {
      what: 'Get a token that reads prompts',
      refused: 'no token: invalid_scope',
      run: () => clientToken(client.clientToken(issuer, READING.trim())),
    },
    {
      what: 'Read the payer’s record with the token that the client can get',
      refused: '403 insufficient_scope',
      run: async () => told(await client.call('GET', url, await registering())),
    },
    {
      what: 'Preview another version of the payer, and read what would change',
      refused: '200 without it',
      async run() {
        const components = { ...(await members.payer.agent.components()), prompt_template: 'x', tools: [] }
        const preview = `${remit.metadata.ajwt_agent_registration_endpoint}/preview`
        const asked = { app_id: client_id, agent_components: components }
        return told(await client.call('POST', preview, await registering(), asked))
      },
    },
    {
      what: 'Register another version of the payer, and read what the answer says of the old one',
      refused: '200 without it',
      async run() {
        const components = { ...(await members.payer.agent.components()), prompt_template: 'x' }
        const asked = { app_id: client_id, agent_components: components }
        const answer = await client.call(
          'POST',
          remit.metadata.ajwt_agent_registration_endpoint,
          await registering(),
          asked,
        )
        return told(answer)
      },
    },
  ]
}
