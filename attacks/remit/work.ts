import { z } from 'zod'
import { expectStatus } from '../../demo/remit-client.ts'
import { approvalDetailSchema } from '../../src/protocol/approval.ts'
import { createExecution, type Execution, type Handoff } from '../../src/shim/index.ts'
import { ENTRY, PAYMENT, WORKFLOW } from '../story.ts'
import { ask, type Crew, type Office } from './crew.ts'

/** The reader reads, in an execution of its own unless told. Throws where it is not let. */
export async function collect(
  office: Office,
  { members }: Pick<Crew, 'members'>,
  {
    execution = createExecution({ workflow_id: WORKFLOW }),
    subject_token,
  }: { execution?: Execution; subject_token?: string } = {},
): Promise<Execution> {
  const user = subject_token !== undefined && {
    subject_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
  }
  const { agent } = members.reader
  await agent.run({ execution, workflow_step: 'collect', ...user }, async () => {
    await expectDone(agent.fetch(`${office.api.url}/invoices`))
  })
  return execution
}

/** The bookkeeper books; where it has the task from the reader, by that handoff. */
export async function book(office: Office, { members }: Crew, execution: Execution, handoff?: Handoff): Promise<void> {
  const { agent } = members.bookkeeper
  await agent.run({ execution, workflow_step: 'book', ...(handoff && { handoff }) }, async () => {
    await expectDone(agent.fetch(`${office.api.url}/entries`, json(ENTRY)))
  })
}

/** Asks for the payment of `what` and has Ben grant it. @returns the execution, ready for the payer */
export async function approved(office: Office, crew: Crew, what: object = PAYMENT): Promise<Execution> {
  const execution = await collect(office, crew)
  await book(office, crew, execution)
  const { execution_id } = execution
  const waiting = await ask(office, crew, crew.members.payer, { step: 'pay', execution_id, arguments: what })
  const { approval_id } = z.object({ approval_id: z.string() }).parse(waiting.body)
  const path = `/approvals/${approval_id}`
  const { arguments_digest } = approvalDetailSchema.parse(await office.ben.read(path))
  const decision = { decision: 'grant', arguments_digest, reason: 'The invoice is right.' }
  expectStatus(await office.ben.post(path, decision), 200)
  return execution
}

/** The payer pays what was approved. */
export async function pay(office: Office, { members }: Crew, execution: Execution): Promise<void> {
  const { agent } = members.payer
  await agent.run({ execution, workflow_step: 'pay', arguments: PAYMENT }, async () => {
    await expectDone(agent.fetch(`${office.api.url}/payments`, json(PAYMENT)))
  })
}

/** A POST of JSON, as an agent sends it. */
export function json(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

async function expectDone(call: Promise<Response>): Promise<void> {
  const response = await call
  if (!response.ok) throw new Error(`expected status 200, saw ${response.status} ${await response.text()}`)
  await response.body?.cancel()
}
