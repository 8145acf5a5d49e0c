import type { RouteOptions } from 'fastify'
import type { Context } from '../context.ts'
import type { App } from './app-type.ts'
import { sendMethodNotAllowed } from './errors.ts'
import type { Permission } from './permission.ts'

export type DeclaredRoute = {
  readonly method: string
  readonly url: string
  readonly permission: Permission
  readonly hidden: boolean
}
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
    routes.flatMap(({ method, url, config, schema }) => {
      const permission = config?.permission
      if (permission === undefined) throw new Error(`The route ${method} ${url} declares no permission.`)
      return [method].flat().map(name => ({ method: name, url, permission, hidden: schema?.hide === true }))
    })
}

/** The other methods of known paths answer 405 with Allow. Called after every route is there. */
export function refuseOtherMethods(app: App, ctx: Context, routes: readonly DeclaredRoute[]): void {
  // The documentation's own routes come from its plugin, which also registers them with a closing slash.
  const known = routes.filter(route => !route.hidden).map(route => route.url)
  for (const url of new Set(known)) {
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
