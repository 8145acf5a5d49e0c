import { Command, Help, type Option } from 'commander'
import { addAdminCommand } from './admin-recover.ts'
import { addAgentCommand } from './agent.ts'
import { addApprovalCommand } from './approval.ts'
import { addApproveCommand } from './approve.ts'
import { addAuditCommand } from './audit.ts'
import { addBackupCommand } from './backup.ts'
import { addClientCommand } from './client.ts'
import { addConsoleCommand } from './console.ts'
import { addDelegateCommand } from './delegate.ts'
import { addDoctorCommand } from './doctor.ts'
import { addExecutionCommand } from './execution.ts'
import { addExplainCommand } from './explain.ts'
import { addInitCommand } from './init.ts'
import { addIssuerCommand } from './issuer.ts'
import { addKeygenCommand } from './keygen.ts'
import { addKeysCommand } from './keys-admin.ts'
import { addLoginCommands } from './login.ts'
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
import { addWebhookCommand } from './webhook.ts'
import { addWorkflowCommand } from './workflow.ts'

/** The whole command line, built and not run. */
export function buildProgram(): Command {
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
  addIssuerCommand(program)
  addLoginCommands(program)
  addResourceCommand(program)
  addAgentCommand(program)
  addWorkflowCommand(program)
  addApprovalCommand(program)
  addApproveCommand(program)
  addExecutionCommand(program)
  addKeygenCommand(program)
  addTokenCommand(program)
  addDelegateCommand(program)
  addKeysCommand(program)
  addShimReleaseCommand(program)
  addWebhookCommand(program)
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
  return program
}

function optionDescription(option: Option): string {
  return `${new Help().optionDescription(option)}${option.mandatory ? ' (required)' : ''}`
}
