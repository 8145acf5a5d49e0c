import { z } from 'zod'
import { OAuthError } from './errors.ts'

// Names stand in URL paths and as object keys: dot segments and `__proto__` are no names.
const CLIENT_ID = /^(?!\.{1,2}$|__proto__$)[A-Za-z0-9._-]{1,64}$/
const AGENT_ID = /^[A-Za-z0-9-]{1,128}$/
const WORKFLOW_ID = /^(?!\.{1,2}$|__proto__$)[A-Za-z0-9._:-]{1,128}$/
const SUB = /^[\x21-\x7e]{1,255}$/

/** Names of protocol.md sections 1, 4 and 5. */
export const clientIdSchema = z.string().regex(CLIENT_ID)
export const agentIdSchema = z.string().regex(AGENT_ID)
export const workflowIdSchema = z.string().regex(WORKFLOW_ID)
export const stepIdSchema = z.string().regex(WORKFLOW_ID)
export const subjectNameSchema = z
  .string()
  .refine(name => parseSubjectName(name) !== undefined, 'must be a subject name')

export type SubjectName =
  | { kind: 'agent'; client_id: string; agent_id: string }
  | { kind: 'user'; issuer: string; sub: string }
  | { kind: 'client'; client_id: string }

/** Subject name of an agent (protocol.md section 1). Throws `invalid_request` for parts that could make another name. */
export function agentSubject(client_id: string, agent_id: string): string {
  if (!CLIENT_ID.test(client_id) || !AGENT_ID.test(agent_id)) throw refusal()
  return `agent:${client_id}:${agent_id}`
}

/** Subject name of a user of a trusted issuer (protocol.md section 1). Throws `invalid_request`, as `agentSubject`. */
export function userSubject(issuer: string, sub: string): string {
  if (!CLIENT_ID.test(issuer) || !SUB.test(sub)) throw refusal()
  return `user:${issuer}:${sub}`
}

/** Takes a subject name apart; undefined where it is none. Only a user's `sub` may itself have a colon. */
export function parseSubjectName(name: string): SubjectName | undefined {
  const [kind, owner = '', ...rest] = name.split(':')
  const last = rest.join(':')
  if (CLIENT_ID.test(name)) return { kind: 'client', client_id: name }
  if (!CLIENT_ID.test(owner)) return undefined
  if (kind === 'agent' && AGENT_ID.test(last)) return { kind, client_id: owner, agent_id: last }
  if (kind === 'user' && SUB.test(last)) return { kind, issuer: owner, sub: last }
  return undefined
}

/** The agent_id in an agent's subject name. */
export function bareId(subject: string): string {
  return subject.slice(subject.lastIndexOf(':') + 1)
}

function refusal(): OAuthError {
  return new OAuthError('invalid_request', 'A subject name has a form that is not accepted.', {
    reason: 'subject_name',
  })
}
