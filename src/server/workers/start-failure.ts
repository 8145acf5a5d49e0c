import { StartRefused } from '../store/start-refused.ts'
import type { Refused } from './messages.ts'

/** Why a worker did not start, as it crosses to the primary. */
export function refusedOf(error: unknown): Refused {
  if (!(error instanceof Error)) return { remit: 'refused', name: 'Error', message: 'A worker did not start.' }
  const { name, message } = error
  return {
    remit: 'refused',
    name,
    message,
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...('port' in error && typeof error.port === 'number' && { port: error.port }),
  }
}

/** The same again, as the process would have thrown it that serves alone. */
export function errorOf({ name, message, code, port }: Refused): Error {
  if (name === 'StartRefused') return new StartRefused(message)
  return Object.assign(new Error(message), { name }, code !== undefined && { code }, port !== undefined && { port })
}
