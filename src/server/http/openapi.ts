import type { OpenAPIV3_1 } from 'openapi-types'
import type { App } from './app-type.ts'

type Paths = Readonly<Record<string, object | undefined>>

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
    },
  },
} satisfies Partial<OpenAPIV3_1.Document>

/** One document for both listeners, paths in the order of their names. */
export function mergedDocument(apps: readonly App[]): Record<string, unknown> {
  const documents = apps.map(app => app.swagger({ yaml: false }))
  const paths: [string, object | undefined][] = documents.flatMap(({ paths = {} }) =>
    Object.entries<Paths[string]>(paths),
  )
  return {
    ...OPENAPI_BASE,
    paths: Object.fromEntries(paths.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}
