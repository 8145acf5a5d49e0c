import assert from 'node:assert/strict'
import type { JsonObject } from '../../src/protocol/json.ts'
import { type Answer, type Attempt, requestOf, send } from './attempt.ts'
import type { World } from './given.ts'

export type Expected = {
  readonly status: number
  readonly error: string
  /** The true cause, in audit and metrics only. */
  readonly reason: string
  /** Whether the client was authenticated: then its refusal is a row of its own, else it is counted. */
  readonly audited: boolean
  readonly ajwt_error?: string
  readonly missing_steps?: readonly string[]
  /** The answer names the approval that it waits for. */
  readonly approval?: boolean
}

/**
 * What every refusal must be (attacks.md, notation): this status and body, nothing cached, no token, one audit row with
 * the true reason or one count, nothing echoed; and a good request right after succeeds.
 */
export async function refused(world: World, attempt: Attempt, expected: Expected, good: Attempt): Promise<Answer> {
  const { ctx } = world
  await ctx.unauthenticated.flush(ctx)
  await ctx.db.deleteFrom('audit_event').execute()
  const before = await tokenCount(world)
  const answer = await send(world, attempt)
  assertRefusal(answer, attempt, expected)
  assert.equal(await tokenCount(world), before, 'a token was recorded')
  await assertRecorded(world, attempt, expected)
  const after = await send(world, good)
  assert.equal(after.status, 200, `a good request after it: ${after.text}`)
  return answer
}

function assertRefusal(answer: Answer, attempt: Attempt, expected: Expected): void {
  const { error_description, error_uri, approval_id, ...body } = answer.body
  const wanted = {
    error: expected.error,
    ...(expected.ajwt_error && { ajwt_error: expected.ajwt_error }),
    ...(expected.missing_steps && { missing_steps: expected.missing_steps }),
  }
  assert.deepEqual({ status: answer.status, ...body }, { status: expected.status, ...wanted }, answer.text)
  const names = expected.approval ? /^apr_[A-Za-z0-9_-]{22}$/ : /^undefined$/
  assert.match(String(approval_id), names)
  const page = expected.ajwt_error ?? expected.error
  assert.ok(String(error_uri).endsWith(`/errors/${page}`), String(error_uri))
  assert.equal(answer.headers['cache-control'], 'no-store')
  assertPlain(error_description, attempt)
}

/** One sentence in the characters of RFC 6749 section 5.2, and nothing of the request in it. */
function assertPlain(description: JsonObject[string] | undefined, attempt: Attempt): void {
  const text = typeof description === 'string' ? description : ''
  assert.match(text, /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/)
  const { headers } = requestOf(attempt)
  const values = [...Object.values(attempt.params), ...headers.filter((_, index) => index % 2 === 1)]
  for (const value of values) {
    if (typeof value === 'string' && value.length > 5) assert.equal(text.includes(value), false, `echoes ${value}`)
  }
}

async function assertRecorded(world: World, attempt: Attempt, { reason, audited }: Expected): Promise<void> {
  const { ctx } = world
  const rows = await auditRows(world)
  if (audited) {
    const { client_id } = attempt.client
    const wanted = [{ action: 'token.issue', outcome: 'refused', reason, client_id, address: '127.0.0.1' }]
    assert.deepEqual(
      rows.map(({ details: _, ...row }) => row),
      wanted,
    )
    return
  }
  assert.deepEqual(rows, [])
  await ctx.unauthenticated.flush(ctx)
  const counted = await auditRows(world)
  const [first] = counted
  assert.equal(counted.length, 1)
  assert.equal(first?.action, 'request.refuse')
  const counts = first?.details.counts
  assert.ok(Array.isArray(counts) && counts.length === 1)
  assert.deepEqual([counts[0].reason, counts[0].n], [reason, 1])
}

async function auditRows({ ctx }: World) {
  return await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'client_id', 'address', 'details'])
    .orderBy('id')
    .execute()
}

export async function tokenCount({ ctx }: World): Promise<number> {
  const { count } = await ctx.db
    .selectFrom('token')
    .select(eb => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
