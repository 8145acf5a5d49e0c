import { generateKey } from '../../demo/agents.ts'
import { expectStatus } from '../../demo/remit-client.ts'
import { answered, atApi } from '../seen.ts'
import { ENTRY, type StepName, THEFT } from '../story.ts'
import type { Attempt } from '../threat.ts'
import { callByHand, tokenIn } from './by-hand.ts'
import { ask, type Crew } from './crew.ts'
import type { Member } from './member.ts'
import type { Remit } from './office.ts'
import { fromAnotherProcess } from './separate.ts'

type Broken = {
  /** The agent whose key the code has. */
  readonly victim: Member
  readonly step: StepName
  readonly execution_id: string | undefined
  /** Whether to show that an agent in a process of its own is out of reach. */
  readonly ownProcess?: boolean
}

/**
 * What code in the process is held to, although it uses an agent’s key as it likes. The last one revokes the agent: the
 * crew is of no use after it.
 */
export async function boundsOf(remit: Remit, crew: Crew, broken: Broken): Promise<readonly Attempt[]> {
  const { victim, step, execution_id, ownProcess = false } = broken
  const at = { step, execution_id }
  const token = async () => tokenIn(await ask(remit, crew, victim, at))
  return [
    {
      what: 'Ceiling: a scope that its client was never given',
      refused: '400 invalid_scope',
      run: async () => answered(await ask(remit, crew, victim, { ...at, scope: 'salaries:read' })),
    },
    {
      what: 'Step: the payment, with the payer’s key from the same process, without anybody’s approval',
      // Once everything before it is done, it waits for somebody; else it is told what is missing.
      refused: `403 workflow_step_unauthorized${step === 'book' ? ' (approval_pending)' : ''}`,
      async run() {
        const { payer } = crew.members
        return answered(await ask(remit, crew, payer, { step: 'pay', execution_id, arguments: THEFT }))
      },
    },
    {
      what: 'Expiry: a token that the code took along, 310 s later by the clock of the API',
      refused: '401 invalid_token: exp_passed',
      async run() {
        const access_token = await token()
        remit.api.ahead = 310
        try {
          const iat = Math.floor(Date.now() / 1000) + remit.api.ahead
          return await atApi(remit, () => useToken(remit, victim, access_token, { iat }))
        } finally {
          remit.api.ahead = 0
        }
      },
    },
    {
      what: 'Away from the process, without the key: the same token with a key of the thief’s own',
      refused: '401 invalid_token: proof_by_another_key',
      async run() {
        const thief = { ...victim, key: await generateKey() }
        const access_token = await token()
        return await atApi(remit, () => useToken(remit, thief, access_token, {}))
      },
    },
    ...(ownProcess ? await fromAnotherProcess(remit) : []),
    {
      what: 'Revocation: the agent is revoked; its token is dead at introspection',
      refused: 'active: false',
      async run() {
        const access_token = await token()
        const before = await crew.client.introspect(access_token)
        const id = `${crew.client_id}/${victim.name}`
        const reason = 'Hostile code was found in its process.'
        expectStatus(await remit.ben.post('/revocations', { kind: 'agent', id, reason }), 201)
        const after = await crew.client.introspect(access_token)
        return { got: before.active !== true || after.active !== false, answer: `active: ${after.active}` }
      },
    },
    {
      what: 'Revocation: the next mint',
      refused: '401 unknown_agent',
      run: async () => answered(await ask(remit, crew, victim, at)),
    },
  ]
}

async function useToken({ api }: Remit, { name, key }: Member, token: string, claims: object) {
  if (name === 'reader') return await callByHand('GET', `${api.url}/invoices`, { token, key, claims })
  return await callByHand('POST', `${api.url}/entries`, { token, key, body: ENTRY, claims })
}
