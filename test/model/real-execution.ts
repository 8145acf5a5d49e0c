import { sha256Base64url } from '../../src/protocol/digest.ts'
import type { ExecutionLimits } from '../../src/protocol/execution.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { Problem } from '../../src/protocol/problem.ts'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import type { Caller } from '../../src/server/caller.ts'
import { transaction } from '../../src/server/context.ts'
import { decideApproval } from '../../src/server/registry/approval-decision.ts'
import { openExecution } from '../../src/server/registry/executions.ts'
import type { TestApp } from '../support/app.ts'
import { type GivenClient, givenAdmin, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { delegationClaims, type GivenAgent, givenWorkflow, mint, signedDelegation } from '../support/recorded.ts'
import type { Answer } from './linearize.ts'
import type { Mark, Mint } from './reference-model.ts'
import { AGENTS } from './workflows.ts'

const API = 'https://api.example.test'

const ARGUMENTS = { first: { pay: 1 }, second: { pay: 2 } }
export const DIGESTS = { first: digestOf(ARGUMENTS.first), second: digestOf(ARGUMENTS.second) }

/** A client with three agents whose executions have these limits, and somebody who decides. */
export type Bench = {
  readonly app: TestApp
  readonly client: GivenClient
  readonly limits: ExecutionLimits
  readonly agents: Readonly<Record<string, GivenAgent>>
  readonly approver: Caller
  /** A new one each call. */
  readonly workflow: (steps: readonly WorkflowStep[]) => Promise<string>
}

export type StoredApproval = {
  readonly id: string
  readonly step: string
  readonly digest: string | null
  readonly status: 'pending' | 'granted' | 'denied'
  readonly usedBy?: number
}

/** What the database has of one execution. */
export type Stored = {
  readonly marks: Readonly<Record<string, Mark>>
  readonly approvals: readonly StoredApproval[]
  readonly nodes: number
}

export async function givenBenches(app: TestApp, all: readonly ExecutionLimits[]): Promise<readonly Bench[]> {
  await givenResource(app, { resource: API, scopes: [{ name: 'write', workflow: true }] })
  const access = [{ resource: API, scope: 'write' }]
  const operator = await givenAdmin(app)
  const approver: Caller = {
    ...{ client_id: operator.client_id, sub: operator.client_id, acting_owner: 'user:local:otto' },
    ...{ scope: ['approve:steps'], registers_for: [], request_id: 'given', address: '127.0.0.1' },
  }
  const benches: Bench[] = []
  for (const limits of all) {
    const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
    const client = await givenClient(app, { access: [...access, own], policies: { limits } })
    const agents: Record<string, GivenAgent> = {}
    for (const id of AGENTS) agents[id] = await givenAgent(app, client, id, { grant: { access } })
    let count = 0
    benches.push({
      ...{ app, client, limits, agents, approver },
      async workflow(steps) {
        count += 1
        await givenWorkflow(app, client, `flow-${count}`, steps)
        return `flow-${count}`
      },
    })
  }
  return benches
}

export async function openAhead({ app, client, approver }: Bench, workflow_id: string): Promise<string> {
  const { client_id } = client
  const caller = { ...approver, client_id, sub: client_id }
  const body = { workflow_id, expires_in: 3600, limits: {} }
  const opened = await transaction(app.ctx, tx => openExecution(tx, caller, body, undefined))
  return opened.body.execution_id
}

/** One mint over the wire; `lent` is a token of the step, by which its holder lets the asking agent in. */
export async function mintReally(
  { app, client, agents }: Bench,
  at: { readonly workflow_id: string; readonly execution_id: string | undefined },
  asked: Mint,
  lent: Answer | undefined,
): Promise<Answer> {
  const agent = agents[asked.agent]
  if (!agent) throw new Error('No such agent.')
  const holder = agents[lent?.claims?.intent?.executed_by ?? '']
  const delegation_assertion =
    asked.within && lent?.claims && holder
      ? await signedDelegation(holder.key, delegationClaims(app, client, lent.claims, agent))
      : undefined
  const answer = await mint(app, client, agent, {
    ...{ resource: API, scope: 'write', step: asked.step, ...at },
    ...(asked.digest !== null && argumentsOf(asked.digest, asked.whole)),
    ...(delegation_assertion !== undefined && { delegation_assertion }),
    more: { delegation_context: { completed_steps: asked.completed } },
  })
  return { ...answer, entry: await entryOf(app, answer.claims?.jti) }
}

async function entryOf({ ctx }: TestApp, jti: string | undefined): Promise<number | null> {
  if (jti === undefined) return null
  const token = await ctx.db.selectFrom('token').select('step_entry').where('jti', '=', jti).executeTakeFirstOrThrow()
  return token.step_entry
}

/** @returns false where it was decided before */
export async function decideReally(
  { app, approver }: Bench,
  { id, digest }: StoredApproval,
  status: 'granted' | 'denied',
): Promise<boolean> {
  const decision = status === 'granted' ? 'grant' : 'deny'
  const body = { decision, arguments_digest: digest, reason: 'model' } as const
  try {
    await transaction(app.ctx, tx => decideApproval(tx, approver, id, body))
    return true
  } catch (error) {
    if (error instanceof Problem && error.code === 'conflict') return false
    throw error
  }
}

export async function stored({ app }: Bench, execution_id: string): Promise<Stored> {
  const { db } = app.ctx
  const { tokens } = await db
    .selectFrom('execution')
    .select('tokens')
    .where('execution_id', '=', execution_id)
    .executeTakeFirstOrThrow()
  const steps = await db.selectFrom('execution_step').selectAll().where('execution_id', '=', execution_id).execute()
  const approvals = await db.selectFrom('approval').selectAll().where('execution_id', '=', execution_id).execute()
  return {
    marks: Object.fromEntries(
      steps.map(({ step_id, state, entries, tokens }) => [step_id, { state, entries, tokens }]),
    ),
    approvals: approvals.map(({ approval_id, step_id, arguments_digest, status, entry }) => {
      const usedBy = entry === null ? {} : { usedBy: entry }
      return { id: approval_id, step: step_id, digest: arguments_digest, status, ...usedBy }
    }),
    nodes: tokens,
  }
}

/** Tokens of the execution that were recorded: each counted once. */
export async function countTokens({ app }: Bench, execution_id: string): Promise<number> {
  const rows = await app.ctx.db.selectFrom('token').select('jti').where('execution_id', '=', execution_id).execute()
  return rows.length
}

function argumentsOf(digest: string, whole: boolean): { arguments?: object; arguments_digest?: string } {
  if (!whole) return { arguments_digest: digest }
  return { arguments: digest === DIGESTS.first ? ARGUMENTS.first : ARGUMENTS.second }
}

function digestOf(value: { readonly pay: number }): string {
  return sha256Base64url(canonicalJson(value))
}
