import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { type ExecutionLimits, executionLimitsSchema } from '../protocol/execution.ts'
import { readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { recordText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession } from './session.ts'
import { addSubjectTokenOptions, readSubjectToken } from './subject-token.ts'

const HELP = `
A step without anything before it opens an execution by itself; open one ahead to name the user or the intent.
Example:
  remit execution start auto-patch --client hello-app --secret-file secret --subject-token-file user.jwt`

const startOptions = z.object({
  intentDigest: z.string().optional(),
  expiresIn: z.int().optional(),
  limits: executionLimitsSchema.partial().optional(),
})

/** `remit execution start` */
export function addExecutionStartCommand(execution: Command): void {
  addSubjectTokenOptions(addCredentialOptions(execution.command('start')))
    .description('open an execution of a workflow ahead of its first step')
    .argument('<workflow_id>')
    .option('--intent-digest <digest>', 'a hash of what was asked for; it goes into every token')
    .option('--expires-in <seconds>', 'how long it is open (default: an hour; at most a day)', readSeconds)
    .option(
      '--limits <limits>',
      'lower than those of the client, as max_tokens=8,max_children=0,max_nodes=64',
      readLimits,
    )
    .addHelpText('after', HELP)
    .action(startExecution)
}

async function startExecution(workflow_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { intentDigest, expiresIn, limits } = startOptions.parse(command.opts())
  const body = {
    workflow_id,
    ...(await readSubjectToken(command)),
    ...(intentDigest !== undefined && { intent_digest: intentDigest }),
    ...(expiresIn !== undefined && { expires_in: expiresIn }),
    ...(limits !== undefined && { limits }),
  }
  const api = await registrationClient(session, await readCredential(command), 'generate:intent-token')
  const record = readRecord(await api.post('/intent/executions', body))
  session.out.result(record, recordText(record))
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('It is a number of seconds from 1 to 86400.')
}

function readLimits(text: string): Partial<ExecutionLimits> {
  const pairs = text.split(',').map(pair => pair.split('='))
  const isWhole = pairs.every(pair => pair.length === 2 && /^[0-9]{1,5}$/.test(pair[1] ?? ''))
  const sent = Object.fromEntries(pairs.map(([name = '', value = '']) => [name.trim(), Number(value)]))
  const limits = executionLimitsSchema.partial().safeParse(sent)
  if (isWhole && limits.success && Object.keys(sent).length === pairs.length) return limits.data
  throw new InvalidArgumentError('It is a list as max_tokens=8,max_children=0,max_nodes=64, each at most once.')
}
