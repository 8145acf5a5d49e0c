import swaggerUi from '@fastify/swagger-ui'
import type { App } from './app-type.ts'

/** Everything comes from this server; inline styles are what Swagger UI sets on its own elements. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The API document as a page at /docs, without a request to anybody else. */
export async function docsRoutes(app: App, { document }: { document: () => Record<string, unknown> }): Promise<void> {
  app.addHook('onRoute', route => {
    route.config = { ...route.config, permission: 'public' }
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CSP,
    uiConfig: { validatorUrl: null, supportedSubmitMethods: [], deepLinking: true },
    transformSpecification: document,
    transformSpecificationClone: false,
  })
}
