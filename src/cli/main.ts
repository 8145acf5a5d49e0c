import { CommanderError } from 'commander'
import { asFailure, type CliFailure, EXIT, wrongUsage } from './failure.ts'
import { idsBehindOptions } from './leading-dash.ts'
import { buildProgram } from './program.ts'

process.exitCode = await main(process.argv)

/** Runs one command line. @returns the exit code: 0 done, 1 refused or failed, 2 wrong usage, 78 configuration */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const program = buildProgram()
    await program.parseAsync(idsBehindOptions(program, argv))
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error, argv.includes('--json'))
  }
}

/** Commander has written its own complaints by now. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0
  const isUsage = error instanceof CommanderError
  const failure = isUsage ? wrongUsage(error.message.replace(/^error: /, '')) : asFailure(error)
  const { message, code, details } = failure
  const { next, request_id } = details
  if (json) {
    const told = { ok: false, error: code, message, ...(next && { next }), ...(request_id && { request_id }) }
    process.stdout.write(`${JSON.stringify(told)}\n`)
  }
  if (!isUsage) process.stderr.write(`${linesOf(failure).join('\n')}\n`)
  return details.exitCode ?? EXIT.failed
}

function linesOf({ code, message, details: { next, request_id } }: CliFailure): readonly string[] {
  // What a look-up did not find has no row in the trail.
  const isExplained = request_id !== undefined && code !== 'not_found'
  return [
    `${code}: ${message}`,
    ...(next === undefined ? [] : [`Next: ${next}`]),
    ...(isExplained ? [`Why: remit explain ${request_id}`] : []),
  ]
}
