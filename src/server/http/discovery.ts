import { CHECKSUM_PROFILES } from '../../protocol/agent.ts'
import { AUTH_METHODS } from '../../protocol/client.ts'
import { DPOP_ALGS } from '../../protocol/dpop.ts'
import {
  AGENT_GRANT,
  AGENT_GRANT_SHORT,
  CLIENT_CREDENTIALS_GRANT,
  TOKEN_EXCHANGE_GRANT,
} from '../../protocol/grant-types.ts'
import {
  type ResourceMetadata,
  resourceMetadataSchema,
  type ServerMetadata,
  serverMetadataSchema,
} from '../../protocol/metadata.ts'
import { ADMIN_SCOPES, ISSUER_SCOPES } from '../../protocol/own-resources.ts'
import { SIGNING_ALGS } from '../../protocol/resource.ts'
import { WORKFLOW_STEP_TYPE } from '../../protocol/workflow-request.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import type { App } from './app-type.ts'
import { pathOf } from './surface.ts'

/** What `verifyClientAssertion` takes. */
const ASSERTION_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
const CACHE = 'public, max-age=300'

/** Metadata of the server (RFC 8414) and of its own two resources (RFC 9728): constant, and served without a database. */
export async function discoveryRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const { config } = ctx
  const path = pathOf(config.issuer)
  const metadata = serverMetadata(config)
  const wellKnown = ['oauth-authorization-server', 'openid-configuration'].flatMap(name => [
    `/.well-known/${name}${path}`,
    `${path}/.well-known/${name}`,
  ])
  for (const url of new Set(wellKnown)) {
    const schema = {
      summary: 'Server metadata (RFC 8414)',
      tags: ['discovery'],
      response: { 200: serverMetadataSchema },
    }
    app.get(url, { config: { permission: 'public' }, schema }, async (_request, reply) => {
      reply.header('cache-control', CACHE)
      return metadata
    })
  }
  for (const document of [issuerResource(config), adminResource(config)]) {
    const url = `/.well-known/oauth-protected-resource${pathOf(document.resource)}`
    const schema = {
      summary: 'Resource metadata (RFC 9728)',
      tags: ['discovery'],
      response: { 200: resourceMetadataSchema },
    }
    app.get(url, { config: { permission: 'public' }, schema }, async (_request, reply) => {
      reply.header('cache-control', CACHE)
      return document
    })
  }
}

function serverMetadata({ issuer, adminAudience }: Config): ServerMetadata {
  const authentication = { methods: [...AUTH_METHODS], algs: ASSERTION_ALGS }
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...ISSUER_SCOPES, ...ADMIN_SCOPES],
    response_types_supported: [],
    grant_types_supported: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, AGENT_GRANT_SHORT, TOKEN_EXCHANGE_GRANT],
    token_endpoint_auth_methods_supported: authentication.methods,
    token_endpoint_auth_signing_alg_values_supported: authentication.algs,
    introspection_endpoint_auth_methods_supported: authentication.methods,
    introspection_endpoint_auth_signing_alg_values_supported: authentication.algs,
    introspection_signing_alg_values_supported: [...SIGNING_ALGS],
    revocation_endpoint_auth_methods_supported: authentication.methods,
    revocation_endpoint_auth_signing_alg_values_supported: authentication.algs,
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: [...DPOP_ALGS],
    authorization_details_types_supported: [WORKFLOW_STEP_TYPE],
    protected_resources: [issuer, adminAudience],
    service_documentation: `${issuer}/docs`,
    ajwt_intent_token_endpoint: `${issuer}/intent/token`,
    ajwt_agent_registration_endpoint: `${issuer}/intent/register/agent`,
    ajwt_workflow_registration_endpoint: `${issuer}/intent/register/workflow`,
    ajwt_checksum_profiles_supported: [...CHECKSUM_PROFILES],
    ajwt_draft_versions_supported: ['draft-goswami-agentic-jwt-00'],
    ajwt_shim_releases_uri: `${issuer}/.well-known/ajwt-shim-releases`,
  }
}

function issuerResource(config: Config): ResourceMetadata {
  return {
    ...commonResource(config),
    resource: config.issuer,
    scopes_supported: [...ISSUER_SCOPES],
    resource_name: 'Remit registration API',
    dpop_bound_access_tokens_required: false,
  }
}

function adminResource(config: Config): ResourceMetadata {
  return {
    ...commonResource(config),
    resource: config.adminAudience,
    scopes_supported: [...ADMIN_SCOPES],
    resource_name: 'Remit administration API',
    // A client with the policy `allow_bearer_admin` is the exception.
    dpop_bound_access_tokens_required: true,
  }
}

function commonResource({ issuer }: Config) {
  return {
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    resource_documentation: `${issuer}/docs`,
    dpop_signing_alg_values_supported: [...DPOP_ALGS],
  }
}
