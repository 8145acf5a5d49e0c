import { z } from 'zod'
import { compactJwsTextSchema } from './agent.ts'
import { parseChecksum } from './checksum.ts'
import { OAuthError } from './errors.ts'
import { executionIdSchema } from './execution.ts'
import { AGENT_GRANT, AGENT_GRANT_SHORT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from './grant-types.ts'
import { type JsonValue, parseStrictJsonText } from './json.ts'
import { isScopeToken, parseScope } from './scope.ts'
import { readSubjectToken, type SubjectToken } from './subject-token-parameter.ts'
import { malformed, parse, TEXT, type TokenRequestBody } from './token-parameter.ts'
import { readWorkflowRequest, type WorkflowRequest } from './workflow-request.ts'

/** What a request says of its client, beside the Authorization header (RFC 6749 section 2.3, RFC 7521 section 4.2). */
export type ClientCredentials = {
  readonly client_id?: string | undefined
  readonly client_secret?: string | undefined
  readonly client_assertion?: string | undefined
  readonly client_assertion_type?: string | undefined
}

export type ClientCredentialsRequest = {
  readonly grant_type: typeof CLIENT_CREDENTIALS_GRANT
  readonly credentials: ClientCredentials
  readonly scope: readonly string[]
  readonly resource?: string
}

export type AgentGrantRequest = {
  /** Token exchange with an `agent_id` is this grant with a subject token (protocol.md section 6). */
  readonly grant_type: typeof AGENT_GRANT | typeof TOKEN_EXCHANGE_GRANT
  readonly credentials: ClientCredentials
  readonly agent_id: string
  /** Bare lowercase hex. */
  readonly computed_checksum: string
  readonly scope: readonly string[]
  readonly resource: string
  readonly workflow?: WorkflowRequest
  /** As sent: the caller's word (protocol.md section 6, asserted). */
  readonly chain?: readonly string[]
  readonly completed_steps?: readonly string[]
  /** Vouches for the key of the proof (protocol.md section 4). */
  readonly key_statement?: string
  readonly subject_token?: SubjectToken
  readonly delegation_assertion?: string
}

/** Token exchange without an agent: a client-level token for a person or a workload. */
export type TokenExchangeRequest = {
  readonly grant_type: typeof TOKEN_EXCHANGE_GRANT
  readonly credentials: ClientCredentials
  readonly subject_token: SubjectToken
  readonly scope: readonly string[]
  readonly resource?: string
}

export type TokenRequest = ClientCredentialsRequest | AgentGrantRequest | TokenExchangeRequest

/** Whether it is for an agent: then every check of the agent grant is due. */
export function isAgentRequest(request: TokenRequest): request is AgentGrantRequest {
  return 'agent_id' in request
}

/** Of the agent grant only: where it is none they have no meaning, and are refused, never ignored. */
const AGENT_ONLY = [
  'key_statement',
  'execution_id',
  'delegation_assertion',
  'authorization_details',
  'delegation_context',
  'computed_checksum',
] as const

const credentialsSchema = z.object({
  client_id: z.string().min(1).max(64).optional(),
  client_secret: z.string().min(1).max(512).optional(),
  client_assertion: z.string().min(1).max(16_384).optional(),
  client_assertion_type: TEXT.optional(),
})
/** An array of one audience is that audience ([D] section 4). */
const audienceSchema = z.union([TEXT, z.tuple([TEXT]).transform(([audience]) => audience)])
/** Members that nobody knows are ignored; those of protocol.md that have no meaning here are refused. */
function builtObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.looseObject(shape).refine(sent => !MISPLACED.some(name => Object.hasOwn(sent, name)))
}
const MISPLACED = [...AGENT_ONLY, 'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type']
const agentGrantSchema = z.object({
  agent_id: z.string().min(1).max(128),
  key_statement: compactJwsTextSchema.optional(),
  computed_checksum: z.string().max(128),
  delegation_assertion: compactJwsTextSchema.optional(),
  execution_id: executionIdSchema.optional(),
  workflow_enabled: z.boolean().optional(),
  workflow_id: TEXT.optional(),
  workflow_step: z.union([TEXT, builtObject({ step_id: TEXT }).transform(step => step.step_id)]).optional(),
  delegation_context: builtObject({
    chain: z.array(TEXT).max(64).optional(),
    completed_steps: z.array(TEXT).max(256).optional(),
  }).optional(),
})

/** Parameters whose value is a JSON array or object; in a form they are JSON text (protocol.md section 2). */
const JSON_IN_FORM = ['requested_scopes', 'delegation_context', 'authorization_details', 'workflow_enabled'] as const

/**
 * Reads a form body (`/oauth/token`): text becomes what `/intent/token` sends as JSON. Throws `invalid_request`.
 */
export function formAsJson(form: TokenRequestBody): TokenRequestBody {
  const body: Record<string, JsonValue> = { ...form }
  for (const name of JSON_IN_FORM) {
    const text = form[name]
    if (typeof text === 'string') body[name] = parseStrictJsonText(text)
  }
  const step = form.workflow_step
  if (typeof step === 'string' && step.startsWith('{')) body.workflow_step = parseStrictJsonText(step)
  return body
}

/**
 * Parses a token request in its one internal shape; parameters that nobody knows are ignored (RFC 6749 section 3.2).
 * Row 1 of protocol.md section 6. Throws `invalid_request`, `unsupported_grant_type`, `invalid_scope`, `invalid_target`,
 * `invalid_authorization_details`.
 */
export function parseTokenRequest(body: TokenRequestBody, accepted: readonly string[]): TokenRequest {
  const { grant_type } = body
  if (typeof grant_type !== 'string') throw malformed('grant_type')
  if (!accepted.includes(grant_type)) {
    throw new OAuthError('unsupported_grant_type', 'This endpoint does not know the grant_type.')
  }
  for (const name of ['actor_token', 'actor_token_type']) {
    if (body[name] !== undefined) {
      throw new OAuthError('invalid_request', 'The actor is the authenticated agent; leave actor_token out.', {
        reason: 'actor_token_sent',
      })
    }
  }
  const credentials = parse(credentialsSchema, body)
  const scope = readScope(body)
  const resource = readResource(body)
  const subject_token = readSubjectToken(body, grant_type)
  const target = { ...(resource !== undefined && { resource }) }
  if (grant_type === CLIENT_CREDENTIALS_GRANT) {
    checkWithoutAgent(body, 'This grant')
    if (subject_token) throw malformed('subject_token')
    return { grant_type, credentials, scope, ...target }
  }
  if (grant_type === TOKEN_EXCHANGE_GRANT && body.agent_id === undefined) {
    checkWithoutAgent(body, 'Token exchange without an agent_id')
    if (!subject_token) throw malformed('subject_token')
    return { grant_type, credentials, subject_token, scope, ...target }
  }
  const request = parse(agentGrantSchema, body)
  if (resource === undefined) throw malformed('audience')
  const workflow = readWorkflowRequest(request, body.authorization_details)
  const { chain, completed_steps } = request.delegation_context ?? {}
  if (!workflow && completed_steps !== undefined && completed_steps.length > 0) {
    throw new OAuthError(
      'invalid_request',
      'completed_steps goes with a workflow; name workflow_id and workflow_step.',
      {
        reason: 'steps_without_workflow',
      },
    )
  }
  return {
    grant_type: grant_type === TOKEN_EXCHANGE_GRANT ? TOKEN_EXCHANGE_GRANT : AGENT_GRANT,
    credentials,
    agent_id: request.agent_id,
    computed_checksum: parseChecksum(request.computed_checksum),
    scope,
    resource,
    ...(workflow && { workflow }),
    ...(chain && chain.length > 0 && { chain }),
    ...(completed_steps && { completed_steps }),
    ...(request.key_statement !== undefined && { key_statement: request.key_statement }),
    ...(subject_token && { subject_token }),
    ...(request.delegation_assertion !== undefined && { delegation_assertion: request.delegation_assertion }),
  }
}

function checkWithoutAgent(body: TokenRequestBody, what: string): void {
  if (AGENT_ONLY.every(name => body[name] === undefined)) return
  if (body.authorization_details !== undefined) {
    throw new OAuthError('invalid_authorization_details', 'authorization_details go with the agent grant only.', {
      reason: 'details_without_agent',
    })
  }
  throw new OAuthError('invalid_request', `${what} is for no agent; leave out what concerns one.`, {
    reason: 'agent_parameter_without_agent',
  })
}

/** The grants of `/oauth/token` and of `/intent/token`. */
export const OAUTH_GRANTS: readonly string[] = [
  CLIENT_CREDENTIALS_GRANT,
  AGENT_GRANT,
  AGENT_GRANT_SHORT,
  TOKEN_EXCHANGE_GRANT,
]
export const INTENT_GRANTS: readonly string[] = [AGENT_GRANT, AGENT_GRANT_SHORT]

const scopesSchema = z.array(z.string())
const resourceSchema = z.object({ resource: audienceSchema })

function readScope(body: TokenRequestBody): readonly string[] {
  const { scope, requested_scopes } = body
  if (scope !== undefined && requested_scopes !== undefined) throw malformed('scope')
  if (scope !== undefined) return typeof scope === 'string' ? parseScope(scope) : fail('scope')
  if (requested_scopes === undefined) return parseScope('')
  const tokens = scopesSchema.safeParse(requested_scopes)
  return tokens.success && tokens.data.every(isScopeToken)
    ? parseScope(tokens.data.join(' '))
    : fail('requested_scopes')
}

function readResource(body: TokenRequestBody): string | undefined {
  const { resource, audience } = body
  if (resource !== undefined && audience !== undefined && resource !== audience) throw malformed('resource')
  const sent = resource ?? audience
  if (Array.isArray(sent) && sent.length !== 1) {
    throw new OAuthError('invalid_target', 'A token has one audience; ask for one resource at a time.', {
      reason: 'several_resources',
    })
  }
  return sent === undefined ? undefined : parse(resourceSchema, { resource: sent }).resource
}

function fail(parameter: string): never {
  throw malformed(parameter)
}
