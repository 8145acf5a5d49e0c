/** 78 is EX_CONFIG of sysexits.h: a supervisor must not start the server again. */
export const EXIT = { failed: 1, usage: 2, configuration: 78 } as const

export type FailureDetails = {
  /** What to do next, as a sentence. */
  readonly next?: string | undefined
  readonly exitCode?: number
  /** Of the answer that failed, where there was one. */
  readonly status?: number
  readonly retry_after?: number | undefined
  /** What `remit explain` knows the request by. */
  readonly request_id?: string | undefined
}

/** Ends the command: a code for scripts, one sentence for people. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure'
  readonly code: string
  readonly details: FailureDetails

  constructor(code: string, message: string, details: FailureDetails = {}) {
    super(message)
    this.code = code
    this.details = details
  }
}

/** A command line that cannot be meant so: exit 2. */
export function wrongUsage(message: string): CliFailure {
  return new CliFailure('usage', message, { exitCode: EXIT.usage, next: 'Run the command with --help.' })
}

/** Whatever was thrown, as the end of the command. Server errors are known by name, so that clients load no server. */
export function asFailure(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error
  if (!(error instanceof Error)) return new CliFailure('unexpected', String(error))
  if (error.name === 'ConfigError') {
    const next = 'Mend the environment or the file .env; "remit doctor" checks the rest too.'
    return new CliFailure('configuration', error.message, { exitCode: EXIT.configuration, next })
  }
  if (error.name === 'StartRefused') return new CliFailure('start_refused', error.message)
  // A bug: whoever reports it needs the place.
  return new CliFailure('unexpected', error.stack ?? error.message)
}

/** What the system said when a server or its database did not start; anything else stays what it is. */
export function startFailure(error: unknown): CliFailure {
  const failure = asFailure(error)
  if (failure.code !== 'unexpected' || !(error instanceof Error) || !('code' in error)) return failure
  if (error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL') {
    const port = 'port' in error ? `Port ${error.port}` : 'A port'
    const next = 'End the program that listens there, or set REMIT_PORT or REMIT_ADMIN_LISTEN to another.'
    return new CliFailure('start_failed', `${port} cannot be listened on (${error.code}).`, { next })
  }
  const next = 'See that the database runs and that DATABASE_URL is right; "remit doctor" says more.'
  return new CliFailure('start_failed', `The database cannot be used (${error.code}).`, { next })
}
