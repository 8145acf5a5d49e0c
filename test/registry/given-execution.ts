import { randomBytes, randomUUID } from 'node:crypto'
import type { Insertable } from 'kysely'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { sealArguments } from '../../src/server/registry/approval-arguments.ts'
import { insertApproval } from '../../src/server/store/approvals.ts'
import { grantGates, insertExecution, recordEntry } from '../../src/server/store/executions.ts'
import type { ApprovalTable, DelegationTable, ExecutionTable } from '../../src/server/store/schema-execution.ts'
import { givenToken } from './given-revocation.ts'

/* Executions as mints leave them, written without a mint: for those who only read them. */

const HOUR = 3_600_000

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

/** An open execution of a registered workflow, good for an hour. @returns its id */
export async function givenExecution(
  ctx: Context,
  client_id: string,
  workflow_id: string,
  members: Partial<Insertable<ExecutionTable>> = {},
): Promise<string> {
  const execution_id = `exe_${random(16)}`
  const now = ctx.now()
  await insertExecution(ctx, {
    ...{ execution_id, client_id, workflow_id, workflow_version: 1 },
    ...{ initiated_by: 'user:corp:42', access: null, intent_digest: null, opening: null },
    ...{ limits: JSON.stringify(LIMITS_DEFAULT), opened_by: client_id, opened_at: now },
    ...{ expires_at: new Date(now.getTime() + HOUR), status: 'open', ended_at: null, tokens: 0 },
    ...members,
  })
  return execution_id
}

type Entered = { readonly client_id: string; readonly workflow_id: string; readonly execution_id: string }

/** A first mint of a step by its agent: the step is entered, `leaves` are left, a token is recorded. @returns its jti */
export async function givenEntry(
  ctx: Context,
  { client_id, workflow_id, execution_id }: Entered,
  step: { readonly step_id: string; readonly agent_id: string; readonly leaves?: readonly string[] },
  members: Parameters<typeof givenToken>[2] = {},
): Promise<string> {
  const { step_id, agent_id, leaves = [] } = step
  const entry = { execution_id, step_id, entry: 1, how: 'entered' as const, leaves, now: ctx.now() }
  await transaction(ctx, tx => recordEntry(tx, entry))
  return await givenToken(ctx, client_id, {
    ...{ agent_id, workflow_id, workflow_version: 1, workflow_step: step_id, workflow_state: 'recorded' },
    ...{ execution_id, initiated_by: 'user:corp:42', ...members },
  })
}

/** An approval that waits, or was decided where `members` say so. @returns its id */
export async function givenApproval(
  ctx: Context,
  { client_id, workflow_id, execution_id }: Entered,
  asked: { readonly step_id: string; readonly agent_id: string; readonly arguments?: object },
  members: Partial<Insertable<ApprovalTable>> = {},
): Promise<{ approval_id: string; arguments_digest: string | null }> {
  const approval_id = `apr_${random(16)}`
  const { step_id, agent_id } = asked
  const text = asked.arguments && canonicalJson(asked.arguments)
  const arguments_digest = text === undefined ? null : sha256Base64url(text)
  await insertApproval(ctx, {
    ...{ approval_id, execution_id, client_id, workflow_id, step_id, agent_id },
    ...{ resource: 'https://crm.example/api', scope: 'write', arguments_digest },
    arguments_sealed: text === undefined ? null : sealArguments(ctx, approval_id, text),
    ...{ status: 'pending', opened_at: ctx.now(), ...members },
  })
  return { approval_id, arguments_digest }
}

export async function givenGate(ctx: Context, execution_id: string, gate: string): Promise<void> {
  await grantGates(ctx, execution_id, [gate], ctx.now())
}

/** An assertion that was presented, of the chain `chain`, delegator and delegate last. @returns its id */
export async function givenDelegation(
  ctx: Context,
  { client_id, execution_id }: Entered,
  chain: readonly string[],
  members: Partial<Insertable<DelegationTable>> = {},
): Promise<string> {
  const delegation_id = random(32)
  const subjects = chain.map(agent_id => `agent:${client_id}:${agent_id}`)
  const now = ctx.now()
  await ctx.db
    .insertInto('delegation')
    .values({
      ...{ delegation_id, client_id, delegator: subjects.at(-2) ?? '', delegate: subjects.at(-1) ?? '' },
      ...{ jti: randomUUID(), parent_jti: randomUUID(), parent_delegation_id: null, execution_id },
      ...{ workflow_step: null, delegator_jkt: random(32), jkt: random(32), scope: 'read' },
      ...{ resource: 'https://crm.example/api', chain: JSON.stringify(subjects), assertion: 'a.b.c' },
      ...{ issued_at: now, expires_at: new Date(now.getTime() + HOUR), presented_at: now, ...members },
    })
    .execute()
  return delegation_id
}
