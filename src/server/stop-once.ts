import type { Logger } from 'pino'
import type { Stops } from './open-context.ts'

/** Stops what was started, the last first. Once is enough, more is harmless; what fails keeps nothing else from it. */
export function stopOnce(stops: Stops, log: Logger): () => Promise<void> {
  let stopped: Promise<void> | undefined
  return () => {
    stopped ??= stopAll(stops, log)
    return stopped
  }
}

async function stopAll(stops: Stops, log: Logger): Promise<void> {
  for (const stop of stops.toReversed()) {
    await stop().catch(error => log.error({ error: textOf(error) }, 'a part of the server did not stop in order'))
  }
}

/** What an error says, and nothing of what it carries. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
