import type { RouteOptions } from 'fastify'
import type { Context } from '../context.ts'
import type { App } from './app-type.ts'
import { sendMethodNotAllowed } from './errors.ts'
import type { Permission } from './permission.ts'

export type DeclaredRoute = { readonly method: string; readonly url: string; readonly permission: Permission }
export type RouteTable = () => readonly DeclaredRoute[]

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * Collects the routes of a listener. The table throws for a route that declares no permission, so that the server does
 * not start with one.
 */
export function declareRoutes(app: App): RouteTable {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', route => {
    routes.push(route)
  })
  return () =>
    routes.flatMap(({ method, url, config }) => {
      const permission = config?.permission
      if (permission === undefined) throw new Error(`The route ${method} ${url} declares no permission.`)
      return [method].flat().map(name => ({ method: name, url, permission }))
    })
}

/** The other methods of known paths answer 405 with Allow. Called after every route is there. */
export function refuseOtherMethods(app: App, ctx: Context, routes: readonly DeclaredRoute[]): void {
  for (const url of new Set(routes.map(route => route.url))) {
    const allow = routes.filter(route => route.url === url).map(route => route.method)
    const refused = METHODS.filter(method => !allow.includes(method))
    if (refused.length === 0) continue
    app.route({
      method: refused,
      url,
      config: { permission: 'public' },
      schema: { hide: true },
      // Before a body is read: nothing in it matters.
      onRequest: async (request, reply) => sendMethodNotAllowed(ctx, request, reply, allow),
      handler: async () => {},
    })
  }
}
