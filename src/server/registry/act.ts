import { timingSafeEqual } from 'node:crypto'
import type { z } from 'zod'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import { Problem } from '../../protocol/problem.ts'
import { IDEMPOTENCY_RETENTION } from '../../protocol/time.ts'
import { type ActEvent, auditAct, auditActRefused } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import { type Context, transaction } from '../context.ts'
import { claimKey, findResponse, type IdempotentRequest, storeResponse } from '../store/idempotency.ts'
import { claimReplays } from '../store/replay.ts'

export type ActRequest<T> = {
  /** Method and path as asked, `POST /admin/v1/clients`: a key answers for one endpoint only. */
  readonly endpoint: string
  /** Header `Idempotency-Key`. */
  readonly key?: string
  readonly body: unknown
  /** Reads a stored answer back. */
  readonly answer: z.ZodType<T>
  /** Runs before everything else in the transaction: the gate of a revocation. */
  readonly before?: (tx: Context) => Promise<void>
}

/** What an act did. `replayBody` is the body without its secret; `audit` is what only the act itself knows. */
export type Outcome<T> = {
  readonly status: 200 | 201
  readonly body: T
  readonly replayBody?: T
  readonly audit?: Partial<Pick<ActEvent, 'client_id' | 'agent_id' | 'execution_id' | 'details'>>
}

export type Answer<T> = { readonly status: number; readonly body: T; readonly replayed: boolean }

/**
 * One act of an authenticated caller, in one transaction: the single use of its proof, its Idempotency-Key, the act,
 * its audit row (protocol.md sections 3 and 11). A refusal undoes all of it and is then recorded, proof and audit row,
 * in a write of its own. Throws what `fn` throws; `invalid_dpop_proof` for a proof that was used; Problem
 * `idempotency_key_reused`.
 */
export async function act<T>(
  ctx: Context,
  caller: Caller,
  event: ActEvent,
  request: ActRequest<T>,
  fn: (tx: Context) => Promise<Outcome<T>>,
): Promise<Answer<T>> {
  try {
    return await transaction(ctx, async tx => {
      await request.before?.(tx)
      await claimProof(tx, caller)
      const replay = await claimIdempotency(tx, caller, request)
      if (replay.stored) return replay.stored
      const { status, body, replayBody, audit } = await fn(tx)
      if (replay.claimed) await storeResponse(tx, replay.claimed, { status, body: replayBody ?? body })
      await auditAct(tx, caller, { ...event, ...audit, details: { ...event.details, ...audit?.details } })
      return { status, body, replayed: false }
    })
  } catch (error) {
    await recordRefusal(ctx, caller, event, error)
    throw error
  }
}

/** A read of an authenticated caller: takes its proof once; only a refusal leaves an audit row. Throws like `act`. */
export async function read<T>(
  ctx: Context,
  caller: Caller,
  event: Omit<ActEvent, 'action'>,
  fn: () => Promise<T>,
): Promise<T> {
  try {
    await claimProof(ctx, caller)
    return await fn()
  } catch (error) {
    await recordRefusal(ctx, caller, { ...event, action: 'read' }, error)
    throw error
  }
}

/**
 * A read that leaves an audit row of its own, because of what it shows: prompts and tools. `fn` answers with the details
 * of that row, or with none where it came to show nothing of that kind. Throws like `act`.
 */
export async function auditedRead<T>(
  ctx: Context,
  caller: Caller,
  event: Omit<ActEvent, 'action'>,
  fn: (tx: Context) => Promise<{ readonly body: T; readonly details: ActEvent['details'] | undefined }>,
): Promise<T> {
  try {
    return await transaction(ctx, async tx => {
      await claimProof(tx, caller)
      const { body, details } = await fn(tx)
      if (details) await auditAct(tx, caller, { ...event, action: 'read', details: { ...event.details, ...details } })
      return body
    })
  } catch (error) {
    await recordRefusal(ctx, caller, { ...event, action: 'read' }, error)
    throw error
  }
}

/**
 * Records what was refused of an authenticated caller before any act began: too little scope, a body that cannot be
 * read. Takes the proof, so that it serves no second request.
 * @returns the refusal to answer with instead, where the proof was used before
 */
export async function recordUnheard(
  ctx: Context,
  caller: Caller,
  endpoint: string,
  reason: string,
): Promise<OAuthError | undefined> {
  return await transaction(ctx, async tx => {
    const taken = caller.proof ? await claimReplays(tx, [caller.proof]) : []
    const refused = taken.length > 0 ? proofReplayed() : undefined
    const event: ActEvent = { action: 'request', details: { endpoint } }
    await auditActRefused(tx, caller, event, refused?.reason ?? reason)
    return refused
  })
}

async function recordRefusal(ctx: Context, caller: Caller, event: ActEvent, error: unknown): Promise<void> {
  if (!(error instanceof OAuthError || error instanceof Problem)) return
  await transaction(ctx, async tx => {
    if (caller.proof) await claimReplays(tx, [caller.proof])
    const { compared } = error.details
    const details = { ...event.details, ...(compared && { compared }) }
    await auditActRefused(tx, caller, { ...event, details }, error.reason)
  })
}

async function claimProof(tx: Context, caller: Caller): Promise<void> {
  if (!caller.proof) return
  const taken = await claimReplays(tx, [caller.proof])
  if (taken.length > 0) throw proofReplayed()
}

function proofReplayed(): OAuthError {
  return new OAuthError('invalid_dpop_proof', 'The DPoP proof was used before; sign a new one for each request.', {
    reason: 'proof_replayed',
  })
}

async function claimIdempotency<T>(
  tx: Context,
  caller: Caller,
  { endpoint, key, body, answer }: ActRequest<T>,
): Promise<{ claimed?: IdempotentRequest; stored?: Answer<T> }> {
  if (key === undefined) return {}
  const { client_id, sub } = caller
  // One client serves many people: nobody is given another's answer.
  const request_digest = sha256(canonicalJson(sub === client_id ? body : [sub, body]))
  const request: IdempotentRequest = { client_id, idempotency_key: key, endpoint, request_digest }
  const now = tx.now()
  const expires_at = new Date(now.getTime() + IDEMPOTENCY_RETENTION * 1000)
  if (await claimKey(tx, request, now, expires_at)) return { claimed: request }
  const stored = await findResponse(tx, client_id, key)
  if (!stored || stored.endpoint !== endpoint || !timingSafeEqual(stored.request_digest, request_digest)) {
    throw new Problem('idempotency_key_reused', 'This Idempotency-Key answered another request; use a new one.')
  }
  return { stored: { status: stored.response_status, body: answer.parse(stored.response_body), replayed: true } }
}
