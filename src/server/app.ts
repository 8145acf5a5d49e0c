import swagger from '@fastify/swagger'
import {
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from '@fastify/type-provider-zod'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import type { Context } from './context.ts'
import { adminRoutes } from './http/admin/index.ts'
import { type Admission, admitRequests, createAdmission } from './http/admission.ts'
import { agentKeyRoutes } from './http/agent-keys.ts'
import type { App } from './http/app-type.ts'
import { authorizeRoute } from './http/authorize.ts'
import { authenticateCallers } from './http/bearer-auth.ts'
import { refuseUnparsed } from './http/client-error.ts'
import { boundConnections } from './http/connections.ts'
import { consoleRoutes } from './http/console/index.ts'
import { discoveryRoutes } from './http/discovery.ts'
import { docsRoutes } from './http/docs.ts'
import { errorPageRoutes } from './http/error-pages.ts'
import { answerErrors, sendError } from './http/errors.ts'
import { executionRoutes } from './http/executions.ts'
import { healthRoutes } from './http/health.ts'
import { intentReadRoutes } from './http/intent-read.ts'
import { jwksRoute } from './http/jwks.ts'
import { metricsRoute } from './http/metrics.ts'
import { describeRoute, mergedDocument, OPENAPI_BASE } from './http/openapi.ts'
import { refusalsRoute } from './http/refusals.ts'
import { registerAgentBatchRoute, registerAgentRoutes } from './http/register.ts'
import { registerWorkflowRoute, registerWorkflowsRoute } from './http/register-workflow.ts'
import { guardRequests, hostNames } from './http/request-guard.ts'
import { endConnections, hardenResponses, logRequests } from './http/responses.ts'
import { type DeclaredRoute, declareRoutes, type RouteTable, refuseOtherMethods } from './http/route-table.ts'
import { shimReleasesRoute } from './http/shim-releases.ts'
import {
  AGENT_BATCH_BODY_LIMIT,
  AGENT_BATCH_LIMITS,
  AGENT_BODY_LIMIT,
  acceptJson,
  acceptNothing,
  acceptRegistrations,
  BODY_LIMIT,
  WORKFLOW_BATCH_BODY_LIMIT,
  WORKFLOW_BODY_LIMIT,
} from './http/strict-body.ts'
import { pathOf } from './http/surface.ts'
import { intentTokenRoute, oauthRoutes } from './http/token.ts'

export type Listeners = {
  readonly public: App
  readonly admin: App
  readonly routes: { readonly public: readonly DeclaredRoute[]; readonly admin: readonly DeclaredRoute[] }
}

/**
 * Puts plugins and routes together for the public and the admin listener, which are one with adminListen `same`. Does
 * not listen and touches no database. Throws when a route declares no permission.
 */
export async function buildApp(ctx: Context): Promise<Listeners> {
  const { config } = ctx
  const isShared = config.adminListen === 'same'
  const admission = createAdmission(ctx)
  const administering = { ...ctx, db: ctx.pools.administration }
  const main = await createListener(ctx, admission, isShared ? [config.issuer, config.adminUrl] : [config.issuer])
  const admin = isShared ? main : await createListener(ctx, admission, [config.adminUrl])
  await main.app.register(healthRoutes, { ctx })
  await main.app.register(discoveryRoutes, { ctx })
  await main.app.register(publicRoutes, { ctx, prefix: pathOf(config.issuer), document: () => mergedDocument(apps) })
  await admin.app.register(metricsRoute, { ctx, admission })
  if (!isShared) await admin.app.register(healthRoutes, { ctx })
  await admin.app.register(adminApi, { ctx: administering, prefix: pathOf(config.adminUrl) })
  await admin.app.register(consoleRoutes, { ctx: administering, prefix: pathOf(config.adminUrl) })
  const listeners = isShared ? [main] : [main, admin]
  const apps = listeners.map(({ app }) => app)
  const tables = listeners.map(({ app, routes }) => {
    const declared = routes()
    refuseOtherMethods(app, ctx, declared)
    return declared
  })
  await Promise.all(apps.map(app => app.ready()))
  return { public: main.app, admin: admin.app, routes: { public: tables[0] ?? [], admin: tables.at(-1) ?? [] } }
}

async function createListener(
  ctx: Context,
  admission: Admission,
  urls: readonly string[],
): Promise<{ app: App; routes: RouteTable }> {
  const loggerInstance: FastifyBaseLogger = ctx.log
  const app = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => ctx.timeId(),
    bodyLimit: BODY_LIMIT,
    requestTimeout: 10_000,
    connectionTimeout: 15_000,
    keepAliveTimeout: 5_000,
    maxRequestsPerSocket: 1_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 2_000, maxHeaderSize: 16_384 },
    routerOptions: { maxParamLength: 128, caseSensitive: true },
    trustProxy: ctx.config.trustProxy.length === 0 ? false : [...ctx.config.trustProxy],
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // What still comes in on a connection that is open is answered: the database closes after the last of them.
    return503OnClosing: false,
    clientErrorHandler: refuseUnparsed(ctx.config.issuer),
    frameworkErrors: (error, request, reply) => sendError(ctx, error, request, reply),
  }).withTypeProvider<ZodTypeProvider>()
  app.server.maxHeadersCount = 100
  boundConnections(app.server, ctx.config.issuer)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  acceptNothing(app)
  answerErrors(app, ctx)
  hardenResponses(app)
  endConnections(app, ctx)
  logRequests(app, ctx)
  guardRequests(app, hostNames(urls))
  admitRequests(app, ctx, admission)
  authenticateCallers(app, ctx)
  const routes = declareRoutes(app)
  await app.register(swagger, {
    openapi: OPENAPI_BASE,
    transform: describeRoute,
    transformObject: jsonSchemaTransformObject,
  })
  return { app, routes }
}

/** What stands below the issuer's path. */
async function publicRoutes(app: App, { ctx, document }: { ctx: Context; document: () => Record<string, unknown> }) {
  const registering = { ...ctx, db: ctx.pools.registration }
  await app.register(jwksRoute, { ctx })
  await app.register(shimReleasesRoute, { ctx: registering })
  await app.register(authorizeRoute)
  await app.register(errorPageRoutes)
  await app.register(oauthRoutes, { ctx })
  await app.register(intentTokenRoute, { ctx })
  await app.register(agentRegistration, { ctx: registering })
  await app.register(agentBatch, { ctx: registering })
  await app.register(workflowRegistration, { ctx: registering })
  await app.register(workflowBatch, { ctx: registering })
  await app.register(intentReadRoutes, { ctx: registering })
  await app.register(executions, { ctx: registering })
  await app.register(agentKeyRoutes, { ctx: registering })
  await app.register(refusalsRoute, { ctx: registering })
  await app.register(docsRoutes, { document })
}

async function agentRegistration(app: App, opts: { ctx: Context }): Promise<void> {
  acceptRegistrations(app, AGENT_BODY_LIMIT)
  await app.register(registerAgentRoutes, opts)
}

async function agentBatch(app: App, opts: { ctx: Context }): Promise<void> {
  acceptRegistrations(app, AGENT_BATCH_BODY_LIMIT, AGENT_BATCH_LIMITS)
  await app.register(registerAgentBatchRoute, opts)
}

async function workflowRegistration(app: App, opts: { ctx: Context }): Promise<void> {
  acceptJson(app, WORKFLOW_BODY_LIMIT)
  await app.register(registerWorkflowRoute, opts)
}

async function workflowBatch(app: App, opts: { ctx: Context }): Promise<void> {
  acceptJson(app, WORKFLOW_BATCH_BODY_LIMIT)
  await app.register(registerWorkflowsRoute, opts)
}

async function executions(app: App, opts: { ctx: Context }): Promise<void> {
  acceptJson(app)
  await app.register(executionRoutes, opts)
}

async function adminApi(app: App, opts: { ctx: Context }): Promise<void> {
  acceptJson(app)
  await app.register(adminRoutes, opts)
}
