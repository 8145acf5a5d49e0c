import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { generateKey } from '../../demo/agents.ts'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import type { DelegationClaims } from '../../src/protocol/delegation.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { type HolderKey, signDelegation } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { tokenIn } from '../remit/by-hand.ts'
import { ask } from '../remit/crew.ts'
import type { Member } from '../remit/member.ts'
import type { Remit } from '../remit/office.ts'
import { answered } from '../seen.ts'
import { ENTRY } from '../story.ts'
import type { Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const chainManipulation: Threat = {
  id: 'T11',
  name: 'Delegation Chain Manipulation',
  aim: 'Work under a chain of delegations that those in it did not sign.',
  cases: [changedHandoff, stolenHandoff],
}

const refused = '403 delegation_unauthorized'

/** A task from the reader, whose token is of `execution_id`, to the bookkeeper. */
type Handed = { readonly assertion: string; readonly claims: DelegationClaims; readonly execution_id: string }

async function changedHandoff({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  const { reader, scanner, bookkeeper, payer } = crew.members
  const use = async (by: Member, execution_id: string, delegation_assertion: string, more = {}): Promise<Seen> =>
    answered(await ask(remit, crew, by, { step: 'book', execution_id, more: { delegation_assertion, ...more } }))
  const resigned = async (change: Partial<DelegationClaims>, key: HolderKey = reader.key): Promise<Seen> => {
    const { claims, execution_id } = await hand(remit)
    return await use(bookkeeper, execution_id, await signDelegation(key, { ...claims, ...change }))
  }
  return {
    power: 'm',
    how: 'The chain is derived from the server’s own record of the parent token, and each hop is signed by the key of that token, for one delegate, its key and one execution; what is told of a chain is compared, never believed.',
    plain: [
      {
        what: 'Say that the controller ordered it: there is nothing but the app’s word',
        async run() {
          const headers = { 'x-agent': 'bookkeeper, by order of the controller' }
          const answer = await plain.callWith(await plain.token(), 'POST', '/entries', ENTRY, headers)
          return answered(answer, answer.status === 200 && plain.ledger.done.at(-1)?.by === headers['x-agent'])
        },
      },
    ],
    remit: [
      {
        what: 'Change the signed task on its way through a tool',
        refused,
        async run() {
          const { assertion, claims, execution_id } = await hand(remit)
          const [header, , signature] = assertion.split('.')
          const payload = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 60 })).toString('base64url')
          return await use(bookkeeper, execution_id, [header, payload, signature].join('.'))
        },
      },
      {
        what: 'Sign it anew with a key of the attacker’s own',
        refused,
        run: async () => resigned({}, await generateKey()),
      },
      { what: 'The bookkeeper signs it, in the reader’s name', refused, run: () => resigned({}, bookkeeper.key) },
      {
        what: 'Put another agent at the root: the payer instead of the reader',
        refused,
        run: () => resigned({ iss: agentSubject(crew.client_id, 'payer') }),
      },
      {
        what: 'Put a hop above it that was never there',
        refused,
        run: () => resigned({ prev: 'A'.repeat(43) }),
      },
      {
        what: 'Give another agent’s task to the bookkeeper',
        refused,
        async run() {
          const { assertion, execution_id } = await hand(remit, scanner)
          return await use(bookkeeper, execution_id, assertion)
        },
      },
      {
        what: 'Take it into another execution',
        refused,
        async run() {
          const [{ assertion }, other] = [await hand(remit), await hand(remit)]
          return await use(bookkeeper, other.execution_id, assertion)
        },
      },
      {
        what: 'Leave out the middle: a hop of the bookkeeper’s without the one above it',
        refused,
        async run() {
          const { assertion, execution_id } = await hand(remit)
          const more = { delegation_assertion: assertion }
          const booked = await ask(remit, crew, bookkeeper, { step: 'book', execution_id, more })
          const next = await claimsOf(remit, tokenIn(booked), bookkeeper, scanner)
          const short = await signDelegation(bookkeeper.key, next)
          return await use(scanner, execution_id, short, { requested_scopes: ['entries:write'] })
        },
      },
      {
        what: 'Let the task come back to whom it came from',
        refused,
        async run() {
          const { claims, execution_id } = await hand(remit)
          const { jkt } = await reader.agent.identity()
          const circle = await signDelegation(reader.key, {
            ...claims,
            sub: agentSubject(crew.client_id, 'reader'),
            jkt,
          })
          return answered(
            await ask(remit, crew, reader, { step: 'collect', execution_id, more: { delegation_assertion: circle } }),
          )
        },
      },
      {
        what: 'Tell the server of a chain that there was not',
        refused,
        async run() {
          const { assertion, execution_id } = await hand(remit)
          return await use(bookkeeper, execution_id, assertion, {
            delegation_context: { chain: [payer.name, bookkeeper.name], completed_steps: [] },
          })
        },
      },
    ],
  }
}

async function stolenHandoff({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  const { bookkeeper } = crew.members
  return {
    power: 's',
    how: 'A task names its delegate and the thumbprint of its key: in other hands it is a piece of text.',
    plain: [
      {
        what: 'Use the token that the agents hand around',
        run: async () => answered(await plain.callWith(await plain.token(), 'POST', '/entries', ENTRY)),
      },
    ],
    remit: [
      {
        what: 'The stolen task and the stolen credential, with a key of the thief’s own',
        refused: '400 invalid_dpop_proof (agent_key_mismatch)',
        async run() {
          const { assertion, execution_id } = await hand(remit)
          const asked = { step: 'book', execution_id, more: { delegation_assertion: assertion } } as const
          return answered(await ask(remit, crew, bookkeeper, asked, await generateKey()))
        },
      },
    ],
  }
}

/** The reader collects and hands the next step over, as the shim does it, with claims to change. */
async function hand(remit: Remit, to: Member = remit.crew.members.bookkeeper): Promise<Handed> {
  const { crew } = remit
  const { reader } = crew.members
  const answer = await ask(remit, crew, reader, { step: 'collect' })
  const claims = { ...(await claimsOf(remit, tokenIn(answer), reader, to)), workflow_step: 'book' }
  return { assertion: await signDelegation(reader.key, claims), claims, execution_id: claims.execution_id ?? '' }
}

async function claimsOf(remit: Remit, token: string, from: Member, to: Member): Promise<DelegationClaims> {
  const { jti, intent } = accessTokenClaimsSchema.parse(decodeJwt(token))
  const { execution_id } = intent ?? {}
  const { client_id } = remit.crew
  const iat = epochSeconds(new Date())
  return {
    iss: agentSubject(client_id, from.name),
    sub: agentSubject(client_id, to.name),
    aud: remit.metadata.issuer,
    parent_jti: jti,
    jkt: (await to.agent.identity()).jkt,
    scope: 'entries:write',
    resource: [remit.api.url],
    ...(execution_id !== undefined && { execution_id }),
    iat,
    exp: iat + 300,
    jti: randomUUID(),
  }
}
