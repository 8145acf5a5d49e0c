import type { SwaggerTransform } from '@fastify/swagger'
import { jsonSchemaTransform } from '@fastify/type-provider-zod'
import type { OpenAPIV3_1 } from 'openapi-types'
import type { App } from './app-type.ts'
import type { Permission } from './permission.ts'

/** What each listener's document starts from. No server is named: the document is the same for every deployment. */
export const OPENAPI_BASE = {
  openapi: '3.1.0',
  info: {
    title: 'Remit',
    version: '0.1.0',
    description:
      'Authorization server for LLM agents: OAuth 2 and A-JWT intent tokens. Paths under /admin and /metrics are served by the admin listener.',
  },
  components: {
    securitySchemes: {
      dpop: {
        type: 'http',
        scheme: 'dpop',
        description: 'An access token of this server with a DPoP proof (RFC 9449)',
      },
      bearer: {
        type: 'http',
        scheme: 'bearer',
        description: 'An access token of this server, where Bearer is allowed',
      },
      bootstrap: { type: 'http', scheme: 'bearer', description: 'The one-time bootstrap token' },
      console: {
        type: 'apiKey',
        in: 'cookie',
        name: 'remit_console',
        description:
          'A console session, from the console page only and with its marker; on https the name is __Host-remit_console',
      },
      console_marker: {
        type: 'apiKey',
        in: 'header',
        name: 'X-Remit-Console',
        description: 'The marker from the answer of POST /console/session: the half of a session that is no cookie',
      },
    },
  },
} satisfies Partial<OpenAPIV3_1.Document>

/** The schemas of a route, and what it demands as its `security`. */
export const describeRoute: SwaggerTransform = route => {
  const { schema, url } = jsonSchemaTransform(route)
  const security = securityOf(route.route.config?.permission)
  return { schema: { ...schema, ...(security && { security }) }, url }
}

/** One document for both listeners, paths in the order of their names. */
export function mergedDocument(apps: readonly App[]): Record<string, unknown> {
  const documents = apps.map(app => app.swagger())
  const paths = documents.flatMap(document => Object.entries<object | undefined>(document.paths ?? {}))
  const schemas = documents.flatMap(document =>
    'components' in document ? Object.entries<object>(document.components?.schemas ?? {}) : [],
  )
  return {
    ...OPENAPI_BASE,
    components: { ...OPENAPI_BASE.components, schemas: sorted(schemas) },
    paths: sorted(paths),
  }
}

type Security = Readonly<Record<string, readonly string[]>>[]

/** Client authentication has too many forms for this vocabulary; RFC 8414 metadata names them. */
function securityOf(permission: Permission | undefined): Security | undefined {
  if (permission === 'bootstrap') return [{ bootstrap: [] }]
  if (typeof permission !== 'object') return undefined
  const tokens: Security = [{ dpop: [permission.scope] }, { bearer: [permission.scope] }]
  return permission.audience === 'admin' ? [...tokens, { console: [], console_marker: [] }] : tokens
}

function sorted<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}
