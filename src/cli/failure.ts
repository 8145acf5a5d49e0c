/** 78 is EX_CONFIG of sysexits.h: a supervisor must not start the server again. */
export const EXIT = { failed: 1, usage: 2, configuration: 78 } as const

export type FailureDetails = {
  /** What to do next, as a sentence. */
  readonly next?: string | undefined
  readonly exitCode?: number
  /** Of the answer that failed, where there was one. */
  readonly status?: number
  readonly retry_after?: number | undefined
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
