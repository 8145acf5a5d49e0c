import { Command, CommanderError, Help, type Option } from 'commander'
import { addAdminCommand } from './admin-recover.ts'
import { addAgentCommand } from './agent.ts'
import { addAuditCommand } from './audit.ts'
import { addBackupCommand } from './backup.ts'
import { addClientCommand } from './client.ts'
import { addConsoleCommand } from './console.ts'
import { addDoctorCommand } from './doctor.ts'
import { addExplainCommand } from './explain.ts'
import { asFailure, EXIT, wrongUsage } from './failure.ts'
import { addInitCommand } from './init.ts'
import { addMigrateCommand } from './migrate.ts'
import { addOpenapiCommand } from './openapi.ts'
import { addOwnerCommand } from './owner-admin.ts'
import { addResourceCommand } from './resource.ts'
import { addRestoreCommand } from './restore.ts'
import { addRevocationCommand } from './revocation.ts'
import { addRevokeCommand } from './revoke.ts'
import { addServeCommand } from './serve.ts'
import { addGlobalOptions } from './session.ts'
import { addShimReleaseCommand } from './shim-release.ts'
import { addTokenCommand } from './token.ts'
import { addWorkflowCommand } from './workflow.ts'

process.exitCode = await main(process.argv)

/** Runs one command line. @returns the exit code: 0 done, 1 refused or failed, 2 wrong usage, 78 configuration */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('remit')
  program
    .description('Remit: intent tokens for LLM agents. Begin with "remit serve", then "remit init --example".')
    .exitOverride()
    .showHelpAfterError('Run it with --help to see how it is used.')
    .configureHelp({ showGlobalOptions: true, optionDescription })
  addGlobalOptions(program)
  addServeCommand(program)
  addInitCommand(program)
  addDoctorCommand(program)
  addClientCommand(program)
  addOwnerCommand(program)
  addResourceCommand(program)
  addAgentCommand(program)
  addWorkflowCommand(program)
  addTokenCommand(program)
  addShimReleaseCommand(program)
  addRevokeCommand(program)
  addRevocationCommand(program)
  addAuditCommand(program)
  addExplainCommand(program)
  addConsoleCommand(program)
  addMigrateCommand(program)
  addBackupCommand(program)
  addRestoreCommand(program)
  addAdminCommand(program)
  addOpenapiCommand(program)
  try {
    await program.parseAsync(argv)
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error, argv.includes('--json'))
  }
}

function optionDescription(option: Option): string {
  return `${new Help().optionDescription(option)}${option.mandatory ? ' (required)' : ''}`
}

/** Commander has written its own complaints by now. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0
  const isUsage = error instanceof CommanderError
  const failure = isUsage ? wrongUsage(error.message.replace(/^error: /, '')) : asFailure(error)
  const { message, code, details } = failure
  const { next } = details
  if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: code, message, ...(next && { next }) })}\n`)
  if (!isUsage) {
    process.stderr.write(`${code}: ${message}\n${next === undefined ? '' : `Next: ${next}\n`}`)
  }
  return details.exitCode ?? EXIT.failed
}
