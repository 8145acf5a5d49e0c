import type { Command } from 'commander'
import { addExecutionListCommand } from './execution-list.ts'
import { addExecutionShowCommand } from './execution-show.ts'
import { addExecutionStartCommand } from './execution-start.ts'

/** remit execution start, list, show. */
export function addExecutionCommand(program: Command): void {
  const execution = program.command('execution').description('runs of a workflow: what was entered, by which tokens')
  addExecutionListCommand(execution)
  addExecutionShowCommand(execution)
  addExecutionStartCommand(execution)
}
