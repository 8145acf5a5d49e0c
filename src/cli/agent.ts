import type { Command } from 'commander'
import { addAgentCreateCommand } from './agent-create.ts'
import { addAgentDecideCommands } from './agent-decide.ts'
import { addAgentGrantCommand } from './agent-grant.ts'
import { addAgentKeyCommand } from './agent-key.ts'
import { addAgentPreviewCommand } from './agent-preview.ts'
import { addAgentRollbackCommand } from './agent-rollback.ts'
import { addAgentSettingsCommand } from './agent-settings.ts'
import { addAgentShowCommands } from './agent-show.ts'
import { addAgentSuspendCommands } from './agent-suspend.ts'
import { addAgentVersionCommand } from './agent-version.ts'

/** `remit agent …`: one file a command. */
export function addAgentCommand(program: Command): void {
  const agent = program.command('agent').description('the agents of a client and their versions')
  addAgentCreateCommand(agent)
  addAgentPreviewCommand(agent)
  addAgentShowCommands(agent)
  addAgentVersionCommand(agent)
  addAgentDecideCommands(agent)
  addAgentSuspendCommands(agent)
  addAgentRollbackCommand(agent)
  addAgentGrantCommand(agent)
  addAgentKeyCommand(agent)
  addAgentSettingsCommand(agent)
}
