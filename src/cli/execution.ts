import type { Command } from 'commander'
import { addExecutionListCommand } from './execution-list.ts'
import { addExecutionShowCommand } from './execution-show.ts'
import { addExecutionStartCommand } from './execution-start.ts'

export function addExecutionCommand(program: Command): void {
  const execution = program.command('execution').description('runs of a workflow: what was entered, by which tokens')
  addExecutionListCommand(execution)
  addExecutionShowCommand(execution)
  addExecutionStartCommand(execution)
}
