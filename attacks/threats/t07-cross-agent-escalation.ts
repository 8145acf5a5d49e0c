import { createExecution } from '../../src/shim/index.ts'
import { boundsOf } from '../remit/bounds.ts'
import { callByHand, tokenIn } from '../remit/by-hand.ts'
import { ask } from '../remit/crew.ts'
import { book, collect, json } from '../remit/work.ts'
import { answered, throughShim } from '../seen.ts'
import { ENTRY, THEFT, WORKFLOW } from '../story.ts'
import type { Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const crossAgentEscalation: Threat = {
  id: 'T7',
  name: 'Cross-Agent Privilege Escalation',
  aim: 'From an agent that may little, get what another one may.',
  cases: [injectedReader, codeInTheProcess],
}

async function injectedReader({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  const { reader, scanner, bookkeeper, payer } = crew.members
  const { url } = remit.api

  /** The reader, in its step, hands a task over; the delegate tries to do it. */
  async function handOver(to: typeof payer, scope: string, workflow_step: string): Promise<Seen> {
    const execution = createExecution({ workflow_id: WORKFLOW })
    const handoff = await reader.agent.run({ execution, workflow_step: 'collect' }, async () =>
      reader.agent.delegate(await to.agent.identity(), { resource: url, scope: [scope], workflow_step }),
    )
    if (workflow_step === 'pay') await book(remit, crew, execution)
    const task = { handoff, scope: [scope], ...(workflow_step === 'pay' && { arguments: THEFT }) }
    return await throughShim(() => to.agent.run(task, () => to.agent.fetch(`${url}/payments`, json(THEFT))))
  }

  return {
    power: 'm',
    how: 'A handoff gives the delegate nothing that it could not mint itself, within the delegator’s own step nothing that the delegator lacks, and never an approval; in one agent’s work the shim uses no other agent’s key.',
    plain: [
      {
        what: 'The reader pays with the token that it shares with the payer',
        run: async () => answered(await plain.call('POST', '/payments', { agent: 'reader', body: THEFT })),
      },
    ],
    remit: [
      {
        what: 'The reader asks, as itself, for what the payer may',
        refused: '400 invalid_scope',
        run: async () => answered(await ask(remit, crew, reader, { step: 'collect', scope: 'payments:write' })),
      },
      {
        what: 'The reader says that it is the payer',
        refused: '400 invalid_dpop_proof (agent_key_mismatch)',
        run: async () => answered(await ask(remit, crew, payer, { step: 'pay' }, reader.key)),
      },
      {
        what: 'The reader hands the payment over to the payer',
        refused: 'shim workflow_step_unauthorized (approval_pending)',
        run: () => handOver(payer, 'payments:write', 'pay'),
      },
      {
        what: 'The reader hands on, in its own step, a scope that it lacks',
        refused: 'shim delegation_unauthorized',
        run: () => handOver(scanner, 'payments:write', 'collect'),
      },
      {
        what: 'In the middle of the reader’s work a tool call reaches the bookkeeper’s object in the same process',
        refused: 'shim invalid_request: another_agents_work',
        async run() {
          const execution = await collect(remit, crew)
          return await throughShim(() =>
            reader.agent.run({ execution, workflow_step: 'collect' }, () =>
              bookkeeper.agent.fetch(`${url}/entries`, json(ENTRY)),
            ),
          )
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
    how: 'Code in the reader’s process has the keys of all agents in it, and so their rights. Bounds: their grants within the client’s ceiling, the step and its approval, the end of the token, revocation; and no key of an agent in a process of its own.',
    plain: [
      {
        what: 'Code beside the reader books with the shared token',
        run: async () => answered(await plain.call('POST', '/entries', { agent: 'bookkeeper', body: ENTRY })),
      },
    ],
    remit: [
      {
        what: 'Code beside the reader books with the bookkeeper’s key',
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
