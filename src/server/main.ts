import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { listen } from './listen.ts'
import { startMaintenance } from './maintenance.ts'
import type { Stops } from './open-context.ts'
import { prepareNode } from './prepare-node.ts'
import { stopOnce } from './stop-once.ts'

export type RunningServer = {
  /** Whether nobody was its administrator when it started. */
  readonly awaitsAdministrator: boolean
  /** Stops accepting, lets requests finish, then closes the database. Once is enough, more is harmless. */
  readonly stop: () => Promise<void>
}

/**
 * Starts everything in this process and listens. Throws StartRefused with the mend in its sentence; what was started is
 * then stopped again. Losing the database later never ends the process.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  const stops: Stops = []
  const stop = stopOnce(stops, log)
  try {
    const { ctx, awaitsAdministrator } = await prepareNode(config, log, stops)
    stops.push(startMaintenance(ctx).stop)
    await listen(ctx, stops)
    return { awaitsAdministrator, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
