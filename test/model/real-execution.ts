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
import { generateKey } from '../support/dpop.ts'
import { type GivenClient, givenAdmin, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { delegationClaims, type GivenAgent, givenWorkflow, mint, signedDelegation } from '../support/recorded.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
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
  /** Signs a token of somebody who starts executions, a new one each call. */
  readonly userToken: () => Promise<string>
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
  const people = await generateKey()
  const benches: Bench[] = []
  for (const limits of all) {
    const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
    const client = await givenClient(app, { access: [...access, own], policies: { limits } })
    const agents: Record<string, GivenAgent> = {}
    for (const id of AGENTS) agents[id] = await givenAgent(app, client, id, { grant: { access } })
    const { client_id } = client
    await givenTrustedIssuer(app, people, { name: client_id, clients: [client_id], audience: client_id })
    let count = 0
    benches.push({
      ...{ app, client, limits, agents, approver },
      userToken: () => foreignToken(app, people, { aud: client_id, jti: app.ctx.randomId() }),
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

/** By a token of the step its holder lets this agent in. */
export async function lend({ app, client, agents }: Bench, lent: Answer, to: string): Promise<string> {
  const [agent, holder] = [agents[to], agents[lent.claims?.intent?.executed_by ?? '']]
  if (!agent || !holder || !lent.claims) throw new Error('Nobody lends to nobody.')
  return await signedDelegation(holder.key, delegationClaims(app, client, lent.claims, agent))
}

type Place = { readonly workflow_id: string; readonly execution_id: string | undefined }
/** What a mint is sent with beside what the model knows of it. */
type With = { readonly delegation_assertion?: string | undefined; readonly subject_token?: string | undefined }

/** One mint over the wire. */
export async function mintReally(
  { app, client, agents }: Bench,
  at: Place,
  asked: Mint,
  { delegation_assertion, subject_token }: With,
): Promise<Answer> {
  const agent = agents[asked.agent]
  if (!agent) throw new Error('No such agent.')
  const answer = await mint(app, client, agent, {
    ...{ resource: API, scope: 'write', step: asked.step, ...at },
    ...(asked.digest !== null && argumentsOf(asked.digest, asked.whole)),
    ...(delegation_assertion !== undefined && { delegation_assertion }),
    more: {
      delegation_context: { completed_steps: asked.completed },
      ...(subject_token !== undefined && { subject_token, subject_token_type: JWT_TYPE }),
    },
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
/** What waits in an execution that is over counts for nothing: only so many may wait of one client. */
export async function end({ app }: Bench, execution_id: string): Promise<void> {
  const over = { status: 'closed' as const, ended_at: app.ctx.now() }
  await app.ctx.db.updateTable('execution').set(over).where('execution_id', '=', execution_id).execute()
}

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
