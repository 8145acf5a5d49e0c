import { ADAPTER_REASONS } from './error-catalogue/adapter-reasons.ts'
import { ADMINISTRATION_REASONS } from './error-catalogue/administration-reasons.ts'
import { AGENT_REASONS } from './error-catalogue/agent-reasons.ts'
import { API_REASONS } from './error-catalogue/api-reasons.ts'
import { APPROVAL_REASONS } from './error-catalogue/approval-reasons.ts'
import { CLIENT_REASONS } from './error-catalogue/client-reasons.ts'
import { CODES } from './error-catalogue/codes.ts'
import { CONSOLE_REASONS } from './error-catalogue/console-reasons.ts'
import { DELEGATION_REASONS } from './error-catalogue/delegation-reasons.ts'
import { EXECUTION_REASONS } from './error-catalogue/execution-reasons.ts'
import { FETCH_REASONS } from './error-catalogue/fetch-reasons.ts'
import { HTTP_REASONS } from './error-catalogue/http-reasons.ts'
import { ISSUER_REASONS } from './error-catalogue/issuer-reasons.ts'
import { KEY_REASONS } from './error-catalogue/key-reasons.ts'
import { PROOF_REASONS } from './error-catalogue/proof-reasons.ts'
import { REGISTRATION_REASONS } from './error-catalogue/registration-reasons.ts'
import { STATEMENT_REASONS } from './error-catalogue/statement-reasons.ts'
import { VERIFIER_REASONS } from './error-catalogue/verifier-reasons.ts'
import { WORKFLOW_REASONS } from './error-catalogue/workflow-reasons.ts'
import type { AjwtError, ErrorCode } from './errors.ts'
import type { ProblemCode } from './problem.ts'

/** Every code that can stand in an answer (protocol.md section 10). */
export type WireCode = ErrorCode | AjwtError | ProblemCode | 'method_not_allowed'

/** What a code means to whoever gets it: plain sentences; `backticks` around what is typed. */
export type CodeEntry = { readonly title: string; readonly cause: string; readonly mend: string }

/**
 * What a reason of the audit trail means to an administrator: the check in one sentence, what to do, and where one
 * command does it or begins it, its line with {placeholders}.
 */
export type ReasonEntry = { readonly check: string; readonly mend: string; readonly command?: string }

/** Every wire code with its explanation: what <issuer>/errors/{code} shows. */
export const ERROR_CATALOGUE: Readonly<Record<WireCode, CodeEntry>> = CODES

/** Every reason that the server's code can give, by its name. */
export const REASON_CATALOGUE: Readonly<Record<string, ReasonEntry>> = {
  ...HTTP_REASONS,
  ...PROOF_REASONS,
  ...KEY_REASONS,
  ...STATEMENT_REASONS,
  ...CLIENT_REASONS,
  ...ISSUER_REASONS,
  ...AGENT_REASONS,
  ...WORKFLOW_REASONS,
  ...DELEGATION_REASONS,
  ...EXECUTION_REASONS,
  ...APPROVAL_REASONS,
  ...REGISTRATION_REASONS,
  ...API_REASONS,
  ...ADMINISTRATION_REASONS,
  ...FETCH_REASONS,
  ...CONSOLE_REASONS,
  ...VERIFIER_REASONS,
  ...ADAPTER_REASONS,
}

/** The families apart: a reason belongs to exactly one. */
export const REASON_FAMILIES: readonly Readonly<Record<string, ReasonEntry>>[] = [
  HTTP_REASONS,
  PROOF_REASONS,
  KEY_REASONS,
  STATEMENT_REASONS,
  CLIENT_REASONS,
  ISSUER_REASONS,
  AGENT_REASONS,
  WORKFLOW_REASONS,
  DELEGATION_REASONS,
  EXECUTION_REASONS,
  APPROVAL_REASONS,
  REGISTRATION_REASONS,
  API_REASONS,
  CONSOLE_REASONS,
  FETCH_REASONS,
  ADMINISTRATION_REASONS,
  VERIFIER_REASONS,
  ADAPTER_REASONS,
]

export function isWireCode(code: string): code is WireCode {
  return Object.hasOwn(CODES, code)
}

/** The page of a code. Its characters are those of RFC 6749 section 5.2, because the issuer is a URL of ours. */
export function errorUri(issuer: string, code: WireCode): string {
  return `${issuer}/errors/${code}`
}
