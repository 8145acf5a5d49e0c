import { z } from 'zod'
import { compactJwsTextSchema } from './agent.ts'
import { parseChecksum } from './checksum.ts'
import { OAuthError } from './errors.ts'
import { AGENT_GRANT, AGENT_GRANT_SHORT, CLIENT_CREDENTIALS_GRANT } from './grant-types.ts'
import { isJsonObject, type JsonValue, parseStrictJsonText } from './json.ts'
import { isScopeToken, parseScope } from './scope.ts'
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
  readonly grant_type: typeof AGENT_GRANT
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
}

export type TokenRequest = ClientCredentialsRequest | AgentGrantRequest

/** Additions of protocol.md that this release does not build: refused, never ignored. */
const NOT_BUILT = [
  'execution_id',
  'delegation_assertion',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
] as const

const TEXT = z.string().min(1).max(2048)
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
  return z.looseObject(shape).refine(sent => ![...NOT_BUILT, 'key_statement'].some(name => Object.hasOwn(sent, name)))
}
const agentGrantSchema = z.object({
  agent_id: z.string().min(1).max(128),
  key_statement: compactJwsTextSchema.optional(),
  computed_checksum: z.string().max(128),
  workflow_enabled: z.boolean().optional(),
  workflow_id: TEXT.optional(),
  workflow_step: z.union([TEXT, builtObject({ step_id: TEXT }).transform(step => step.step_id)]).optional(),
  delegation_context: builtObject({
    chain: z.array(TEXT).max(64).optional(),
    completed_steps: z.array(TEXT).max(256).optional(),
  }).optional(),
})

type Body = Readonly<Record<string, JsonValue>>

/** Parameters whose value is a JSON array or object; in a form they are JSON text (protocol.md section 2). */
const JSON_IN_FORM = ['requested_scopes', 'delegation_context', 'authorization_details', 'workflow_enabled'] as const

/**
 * Reads a form body (`/oauth/token`): text becomes what `/intent/token` sends as JSON. Throws `invalid_request`.
 */
export function formAsJson(form: Body): Body {
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
export function parseTokenRequest(body: Body, accepted: readonly string[]): TokenRequest {
  const { grant_type } = body
  if (typeof grant_type !== 'string') throw malformed('grant_type')
  if (!accepted.includes(grant_type)) {
    throw new OAuthError('unsupported_grant_type', 'This endpoint does not know the grant_type.')
  }
  for (const name of NOT_BUILT) {
    if (body[name] !== undefined) {
      throw new OAuthError('invalid_request', `The parameter ${name} is not supported by this release; leave it out.`, {
        reason: 'parameter_not_built',
      })
    }
  }
  const credentials = parse(credentialsSchema, body)
  const scope = readScope(body)
  const resource = readResource(body)
  if (grant_type === CLIENT_CREDENTIALS_GRANT) {
    if (body.key_statement !== undefined) {
      throw new OAuthError('invalid_request', 'A key_statement goes with the agent grant only; leave it out.', {
        reason: 'statement_without_agent',
      })
    }
    if (body.authorization_details !== undefined) {
      throw new OAuthError('invalid_authorization_details', 'authorization_details go with the agent grant only.', {
        reason: 'details_without_agent',
      })
    }
    return { grant_type, credentials, scope, ...(resource !== undefined && { resource }) }
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
    grant_type: AGENT_GRANT,
    credentials,
    agent_id: request.agent_id,
    computed_checksum: parseChecksum(request.computed_checksum),
    scope,
    resource,
    ...(workflow && { workflow }),
    ...(chain && chain.length > 0 && { chain }),
    ...(completed_steps && { completed_steps }),
    ...(request.key_statement !== undefined && { key_statement: request.key_statement }),
  }
}

/** The grants of `/oauth/token` and of `/intent/token`. */
export const OAUTH_GRANTS: readonly string[] = [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, AGENT_GRANT_SHORT]
export const INTENT_GRANTS: readonly string[] = [AGENT_GRANT, AGENT_GRANT_SHORT]

function readScope(body: Body): readonly string[] {
  const { scope, requested_scopes } = body
  if (scope !== undefined && requested_scopes !== undefined) throw malformed('scope')
  if (scope !== undefined) return typeof scope === 'string' ? parseScope(scope) : fail('scope')
  if (requested_scopes === undefined) return parseScope('')
  const tokens = z.array(z.string()).safeParse(requested_scopes)
  return tokens.success && tokens.data.every(isScopeToken)
    ? parseScope(tokens.data.join(' '))
    : fail('requested_scopes')
}

function readResource(body: Body): string | undefined {
  const { resource, audience } = body
  if (resource !== undefined && audience !== undefined && resource !== audience) throw malformed('resource')
  const sent = resource ?? audience
  if (Array.isArray(sent) && sent.length !== 1) {
    throw new OAuthError('invalid_target', 'A token has one audience; ask for one resource at a time.', {
      reason: 'several_resources',
    })
  }
  return sent === undefined ? undefined : parse(z.object({ resource: audienceSchema }), { resource: sent }).resource
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(isJsonObject(body) ? body : {})
  if (result.success) return result.data
  throw malformed(String(result.error.issues[0]?.path[0] ?? 'body'))
}

function fail(parameter: string): never {
  throw malformed(parameter)
}

/** `parameter` is a name from a schema, never input. */
function malformed(parameter: string): OAuthError {
  return new OAuthError('invalid_request', `The parameter ${parameter} is missing or malformed.`, {
    reason: 'malformed_parameter',
  })
}
