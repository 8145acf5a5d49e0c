import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { approvalDetailSchema } from '../../src/protocol/approval.ts'
import { ask } from '../remit/crew.ts'
import type { Remit } from '../remit/office.ts'
import { approved, book, collect } from '../remit/work.ts'
import { answered, clientToken } from '../seen.ts'
import { PAYMENT, THEFT, WORKFLOW } from '../story.ts'
import type { Attempt, Case, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const stepBypass: Threat = {
  id: 'T8',
  name: 'Workflow Step Bypass',
  aim: 'Do a step without those that must come before it.',
  cases: [world => skipping(world, 'm'), selfApproval, world => skipping(world, 'c')],
}

const missing = '403 workflow_step_unauthorized'

/** Under `m` the agent is talked into it, under `c` its key is used: the requests are the same ones. */
async function skipping({ plain, remit }: World, power: 'm' | 'c'): Promise<Case> {
  const { crew } = remit
  const { reader, bookkeeper, payer } = crew.members
  const pay = async (asked: object) =>
    answered(await ask(remit, crew, payer, { step: 'pay', arguments: THEFT, ...asked }))
  const attempts: readonly Attempt[] = [
    { what: 'Pay first of all, in no execution', refused: '400 invalid_request', run: () => pay({}) },
    {
      what: 'Pay first of all, in an execution that was opened for it',
      refused: missing,
      run: async () => pay({ execution_id: await openExecution(remit) }),
    },
    {
      what: 'Book in an execution in which nothing was collected',
      refused: missing,
      async run() {
        const execution_id = await openExecution(remit)
        return answered(await ask(remit, crew, bookkeeper, { step: 'book', execution_id }))
      },
    },
    {
      what: 'Pay after the first step, and say that the others are done',
      refused: missing,
      async run() {
        const { execution_id } = await collect(remit, crew)
        return await pay({
          execution_id,
          more: { delegation_context: { completed_steps: ['collect', 'book', 'review'] } },
        })
      },
    },
    {
      what: 'Pay without waiting for the review',
      refused: `${missing} (approval_pending)`,
      async run() {
        const execution = await collect(remit, crew)
        await book(remit, crew, execution)
        return await pay({ execution_id: execution.execution_id })
      },
    },
    {
      what: 'Pay under an approval of another execution',
      refused: missing,
      async run() {
        await approved(remit, crew, PAYMENT)
        const { execution_id } = await collect(remit, crew)
        return await pay({ execution_id, arguments: PAYMENT })
      },
    },
    {
      what: 'Pay with no workflow at all',
      refused: '403 workflow_step_unauthorized (workflow_required)',
      run: async () => answered(await ask(remit, crew, payer, {})),
    },
    {
      what: 'Say that no workflow is meant',
      refused: '403 workflow_step_unauthorized (workflow_required)',
      run: async () => answered(await ask(remit, crew, payer, { more: { workflow_enabled: false } })),
    },
    {
      what: 'Go back to a step that was left',
      refused: missing,
      async run() {
        const execution = await collect(remit, crew)
        await book(remit, crew, execution)
        return answered(await ask(remit, crew, reader, { step: 'collect', execution_id: execution.execution_id }))
      },
    },
    {
      what: 'Guess an execution in which the steps are done',
      refused: missing,
      run: () => pay({ execution_id: `exe_${randomBytes(16).toString('base64url')}` }),
    },
  ]
  return {
    power,
    how: 'The server keeps the record of each execution itself; what a caller says of it is compared, never believed, and a gate opens by a person’s approval alone.',
    plain: [
      {
        what: 'Pay first of all',
        run: async () => answered(await plain.call('POST', '/payments', { agent: 'payer', body: THEFT })),
      },
    ],
    remit: attempts,
  }
}

async function selfApproval({ plain, remit }: World): Promise<Case> {
  const { crew } = remit
  const { payer } = crew.members
  const waiting = async () => {
    const execution = await collect(remit, crew)
    await book(remit, crew, execution)
    const { execution_id } = execution
    const { body } = await ask(remit, crew, payer, { step: 'pay', execution_id, arguments: THEFT })
    return z.object({ approval_id: z.string() }).parse(body).approval_id
  }
  const grantWith = async (token: string) => {
    const path = `/approvals/${await waiting()}`
    const { arguments_digest } = approvalDetailSchema.parse(await remit.ben.read(path))
    const decision = { decision: 'grant', arguments_digest, reason: 'It looks right to me.' }
    return answered(await crew.client.call('POST', `${remit.adminUrl}/admin/v1${path}`, token, decision))
  }
  return {
    power: 's',
    how: 'Approvals are given at the admin API, to tokens for that audience alone, by a person or operator who is neither the initiator nor an owner of the client.',
    plain: [
      {
        what: 'Pay with the stolen secret of the client',
        run: async () => answered(await plain.callWith(await plain.token(), 'POST', '/payments', THEFT)),
      },
    ],
    remit: [
      {
        what: 'Approve the payment with a token of the client',
        refused: '401 invalid_token',
        run: async () => await grantWith(await crew.client.clientToken(remit.metadata.issuer, 'generate:intent-token')),
      },
      {
        what: 'Get a token that may approve, with the credential of the client',
        refused: 'no token: invalid_target',
        run: async () => {
          const asked = await clientToken(crew.client.clientToken(`${remit.metadata.issuer}/admin`, 'approve:steps'))
          return asked.got ? await grantWith(asked.token) : asked
        },
      },
    ],
  }
}

/** Opens an execution ahead of its first step, with the client's credential. */
async function openExecution({ crew, metadata }: Remit): Promise<string> {
  const token = await crew.client.clientToken(metadata.issuer, 'generate:intent-token')
  const answer = await crew.client.call('POST', `${metadata.issuer}/intent/executions`, token, {
    workflow_id: WORKFLOW,
  })
  return z.object({ execution_id: z.string() }).parse(answer.body).execution_id
}
