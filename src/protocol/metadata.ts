import { z } from 'zod'

/**
 * RFC 8414 with its extensions for RFC 9449, RFC 9728 and the draft. Nothing is listed that does not work, but for
 * `authorization_endpoint`: stock MCP clients parse nothing without it (protocol.md section 2).
 */
export const serverMetadataSchema = z.object({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
  jwks_uri: z.string(),
  scopes_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  token_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  introspection_endpoint_auth_methods_supported: z.array(z.string()),
  introspection_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  introspection_signing_alg_values_supported: z.array(z.string()),
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  code_challenge_methods_supported: z.array(z.string()),
  dpop_signing_alg_values_supported: z.array(z.string()),
  authorization_details_types_supported: z.array(z.string()),
  protected_resources: z.array(z.string()),
  service_documentation: z.string(),
  ajwt_intent_token_endpoint: z.string(),
  ajwt_agent_registration_endpoint: z.string(),
  ajwt_workflow_registration_endpoint: z.string(),
  ajwt_checksum_profiles_supported: z.array(z.string()),
  ajwt_draft_versions_supported: z.array(z.string()),
  ajwt_shim_releases_uri: z.string(),
})
export type ServerMetadata = z.output<typeof serverMetadataSchema>

/** RFC 9728 section 2. */
export const resourceMetadataSchema = z.object({
  resource: z.string(),
  authorization_servers: z.array(z.string()),
  jwks_uri: z.string().optional(),
  scopes_supported: z.array(z.string()),
  bearer_methods_supported: z.array(z.string()),
  resource_name: z.string(),
  resource_documentation: z.string(),
  dpop_signing_alg_values_supported: z.array(z.string()),
  dpop_bound_access_tokens_required: z.boolean(),
})
export type ResourceMetadata = z.output<typeof resourceMetadataSchema>

/** RFC 7517 section 5, public members only. */
export const jwksSchema = z.object({
  keys: z.array(
    z.object({
      kty: z.string(),
      use: z.string(),
      kid: z.string(),
      alg: z.string(),
      crv: z.string().optional(),
      x: z.string().optional(),
      y: z.string().optional(),
      n: z.string().optional(),
      e: z.string().optional(),
    }),
  ),
})

/** Body of every OAuth refusal (RFC 6749 section 5.2 with the members of protocol.md section 10). */
export const oauthErrorSchema = z
  .object({
    error: z.string(),
    error_description: z.string(),
    error_uri: z.string().optional(),
    ajwt_error: z.string().optional(),
    missing_steps: z.array(z.string()).optional(),
    approval_id: z.string().optional(),
    registration_id: z.string().optional(),
    existing_agent_id: z.string().optional(),
    checksum: z.string().optional(),
    results: z.array(z.record(z.string(), z.string())).optional(),
  })
  .meta({ id: 'OAuthError' })

/** A refusal of the admin API (RFC 9457). */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' })
