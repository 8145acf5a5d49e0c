import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp } from './app.ts'
import type { Context } from './context.ts'
import type { App } from './http/app-type.ts'
import type { Stops } from './open-context.ts'

/** After this long a request under way is cut: no honest one takes half of it. */
export const DRAIN_LIMIT_SECONDS = 25

/** Connections that wait to be taken: beyond them the kernel drops, and the sender tries again a second later. */
const BACKLOG = 4_096

/**
 * Opens both listeners. Stopping is graceful (reliability.md R7): not ready and every answer the last of its connection;
 * then, when load balancers saw it, no new connections; then the end of what is under way.
 */
export async function listen(ctx: Context, stops: Stops): Promise<void> {
  const listeners = await buildApp(ctx)
  const { host, port, adminListen, drainSeconds } = ctx.config
  const apps = [...new Set([listeners.public, listeners.admin])]
  const silent = apps.map(watchSilent)
  stops.push(() => closeGracefully(apps, silent))
  await listeners.public.listen({ host, port, backlog: BACKLOG })
  if (adminListen !== 'same') await listeners.admin.listen({ ...adminListen })
  stops.push(async () => {
    ctx.node.startDraining()
    await sleep(drainSeconds * 1000)
  })
}

async function closeGracefully(apps: readonly App[], silent: readonly (() => void)[]): Promise<void> {
  const cut = setTimeout(() => apps.forEach(cutConnections), DRAIN_LIMIT_SECONDS * 1000)
  const closed = Promise.all(apps.map(app => app.close()))
  for (const closeSilent of silent) closeSilent()
  await closed
  clearTimeout(cut)
}

/**
 * Balancers and browsers open connections ahead of need. Node closes those that are idle after a request, but waits ten
 * seconds for the first request of others. @returns what closes these
 */
function watchSilent(app: App): () => void {
  const open = new Set<Socket>()
  app.server.on('connection', socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  }
}

function cutConnections(app: App): void {
  app.server.closeAllConnections()
}
