import type { Insertable } from 'kysely'
import type { Access } from '../../protocol/access.ts'
import { sha256 } from '../../protocol/digest.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import { EXECUTION_LIFETIME_DEFAULT } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { ExecutionTable } from '../store/schema-execution.ts'

type New = {
  readonly client_id: string
  readonly workflow_id: string
  readonly workflow_version: number
  readonly initiated_by: string
  readonly opened_by: string
  readonly limits: ExecutionLimits
  readonly access: Access | null
  readonly opening?: Buffer
  readonly intent_digest?: string
  /** Seconds. */
  readonly expires_in?: number | undefined
}

/** The row of an execution that begins now; its id cannot be guessed (attacks.md 80). */
export function newExecution(
  ctx: Context,
  { limits, access, opening, intent_digest, expires_in = EXECUTION_LIFETIME_DEFAULT, ...named }: New,
): Insertable<ExecutionTable> & { readonly execution_id: string; readonly expires_at: Date } {
  const opened_at = ctx.now()
  return {
    execution_id: `exe_${ctx.randomId()}`,
    ...named,
    access: access && JSON.stringify(access),
    intent_digest: intent_digest ?? null,
    limits: JSON.stringify(limits),
    opening: opening ?? null,
    opened_at,
    expires_at: new Date(opened_at.getTime() + expires_in * 1000),
    status: 'open',
    tokens: 0,
  }
}

/**
 * What finds an execution again that the same user token opened: the token as signed, the workflow, and for a mint the
 * agent and the step (protocol.md section 6, token exchange (a)).
 */
export function openingDigest(
  { digest }: { readonly digest: Buffer },
  at: { readonly workflow_id: string; readonly workflow_step?: string; readonly agent_id?: string },
): Buffer {
  const { workflow_id, workflow_step = null, agent_id = null } = at
  return sha256(canonicalJson([digest.toString('base64url'), workflow_id, workflow_step, agent_id]))
}
