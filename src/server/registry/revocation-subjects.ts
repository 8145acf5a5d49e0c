import { parseSubjectName } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Context } from '../context.ts'
import { revokeAgent } from '../store/agents.ts'
import { findActiveHoldersOf, findClient, revokeClient } from '../store/clients.ts'
import { revokeExecution } from '../store/execution-ends.ts'
import { revokeRegistration } from '../store/registration-changes.ts'
import { findRegistration } from '../store/registrations.ts'
import type { TokenHolder } from '../store/revocation-coverage.ts'
import { findToken } from '../store/tokens.ts'
import { revokeWorkflow } from '../store/workflow-changes.ts'

/** What a revocation covers, and what is due about it besides its entries. */
export type Covered = {
  /** What its entries name, the one that was asked for first. */
  readonly ids: readonly string[]
  /** Whether it stays revoked after the entry has ended. */
  readonly final: boolean
  /** When the entry ends, where that is not after the last token. */
  readonly ends_at?: Date
  /** Whose it was, for the audit trail. */
  readonly subject?: { readonly client_id: string; readonly agent_id?: string; readonly execution_id?: string }
  /** Whose all of its tokens are. */
  readonly holder?: TokenHolder
  readonly note?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** A token's own entry outlives it. Undefined where there is no such token. */
export async function coverToken(tx: Context, jti: string): Promise<Covered | undefined> {
  const token = await findToken(tx, jti)
  if (!token) return undefined
  const { client_id, agent_id } = token
  const subject = { client_id, ...(agent_id !== null && { agent_id }) }
  return { ids: [jti], final: true, subject, holder: subject }
}

export async function coverRegistration(tx: Context, registration_id: string): Promise<Covered | undefined> {
  const version = await findRegistration(tx, registration_id)
  if (!version) return undefined
  await revokeRegistration(tx, registration_id)
  const { client_id, agent_id } = version
  return { ids: [registration_id], final: true, subject: { client_id, agent_id }, holder: { client_id, agent_id } }
}

/** `id` is `client_id/agent_id`. */
export async function coverAgent(tx: Context, id: string): Promise<Covered | undefined> {
  const [client_id = '', agent_id = '', ...rest] = id.split('/')
  if (rest.length > 0 || !(await revokeAgent(tx, client_id, agent_id))) return undefined
  return { ids: [id], final: true, subject: { client_id, agent_id }, holder: { client_id, agent_id } }
}

/** Throws Problem `conflict` for the last administrator, and for what was deleted: that is revoked for good. */
export async function coverClient(tx: Context, client_id: string): Promise<Covered | undefined> {
  if ((await findClient(tx, client_id))?.status === 'deleted') {
    throw new Problem('conflict', 'This client was deleted, which revoked it for good.', 'client_deleted')
  }
  await keepAnAdministrator(tx, client_id)
  if (!(await revokeClient(tx, client_id))) return undefined
  return { ids: [client_id], final: true, subject: { client_id }, holder: { client_id } }
}

/** Also one that was closed or has expired: what was minted in it may still live. */
export async function coverExecution(tx: Context, execution_id: string, now: Date): Promise<Covered | undefined> {
  const execution = await revokeExecution(tx, execution_id, now)
  if (!execution) return undefined
  const { client_id, workflow_id } = execution
  const subject = { client_id, execution_id }
  return { ids: [execution_id], final: true, subject, holder: { client_id }, details: { workflow_id } }
}

/** `id` is `client_id/workflow_id`. It has no entry of its own: its executions and tokens have (protocol.md section 9). */
export async function coverWorkflow(tx: Context, id: string): Promise<Covered | undefined> {
  const [client_id = '', workflow_id = '', ...rest] = id.split('/')
  if (rest.length > 0 || !(await revokeWorkflow(tx, client_id, workflow_id))) return undefined
  return { ids: [id], final: true, subject: { client_id }, holder: { client_id } }
}

/** Nothing to look up: the entry itself matters. Throws Problem `invalid_request` for what is no subject name. */
export function coverInitiator(id: string): Covered {
  const name = parseSubjectName(id)
  if (!name) {
    throw new Problem(
      'invalid_request',
      'An initiator is named agent:client_id:agent_id, user:issuer:sub, or by the client_id alone.',
      'malformed_id',
    )
  }
  const subject = name.kind === 'user' ? undefined : name
  return {
    ids: [id],
    final: false,
    ...(subject && {
      subject: { client_id: subject.client_id, ...('agent_id' in subject && { agent_id: subject.agent_id }) },
    }),
    note: 'This ends by itself: when the entry has ended, the initiator may start again; what it had begun stays ended.',
  }
}

/** Bootstrap is closed for ever: without an administrator nobody could ever revoke or approve again. */
export async function keepAnAdministrator(tx: Context, client_id: string): Promise<void> {
  const administrators = await findActiveHoldersOf(tx, tx.config.adminAudience, ['admin:clients'])
  const [last, ...others] = administrators
  if (last?.client_id !== client_id || others.length > 0) return
  throw new Problem(
    'conflict',
    'This is the last client with admin:clients; create another administrator first.',
    'last_administrator',
  )
}
