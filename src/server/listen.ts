import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp, type Listeners } from './app.ts'
import type { Context } from './context.ts'
import type { App } from './http/app-type.ts'
import type { Stops } from './open-context.ts'

/** After this long a request under way is cut: no honest one takes half of it. */
export const DRAIN_LIMIT_SECONDS = 25

/**
 * Opens both listeners. Stopping is graceful (reliability.md R7): not ready and every answer the last of its connection;
 * then, when load balancers saw it, no new connections; then the end of what is under way.
 */
export async function listen(ctx: Context, stops: Stops): Promise<void> {
  const listeners = await buildApp(ctx)
  const { host, port, adminListen, drainSeconds } = ctx.config
  stops.push(() => closeGracefully(listeners))
  await listeners.public.listen({ host, port })
  if (adminListen !== 'same') await listeners.admin.listen({ ...adminListen })
  stops.push(async () => {
    ctx.node.startDraining()
    await sleep(drainSeconds * 1000)
  })
}

async function closeGracefully(listeners: Listeners): Promise<void> {
  const apps = [...new Set([listeners.public, listeners.admin])]
  const cut = setTimeout(() => apps.forEach(cutConnections), DRAIN_LIMIT_SECONDS * 1000)
  await Promise.all(apps.map(app => app.close()))
  clearTimeout(cut)
}

function cutConnections(app: App): void {
  app.server.closeAllConnections()
}
