import { type Command, Option } from 'commander'
import { z } from 'zod'
import { agentChecksum } from '../protocol/checksum.ts'
import { AGENT_GRANT, TOKEN_EXCHANGE_GRANT } from '../protocol/grant-types.ts'
import { WORKFLOW_STEP_TYPE } from '../protocol/workflow-request.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readObject, readSecret } from './files.ts'
import { readKeyFile } from './keys.ts'
import { issuerOf } from './profile.ts'
import { openSession } from './session.ts'
import { addSubjectTokenOptions, readSubjectToken } from './subject-token.ts'
import { discover, requestToken } from './token-client.ts'

const HELP = `
Example:
  remit token mint --client hello-app --secret-file secret --file agent.yaml --key agent-key.json \\
    --resource https://api.example.test --scope read`

const mintOptions = z.object({
  agent: z.string().optional(),
  file: z.string().optional(),
  checksum: z.string().optional(),
  scope: z.string(),
  resource: z.string(),
  key: z.string().optional(),
  keyStatement: z.string().optional(),
  workflow: z.string().optional(),
  step: z.string().optional(),
  completed: z.string().optional(),
  delegation: z.string().optional(),
  execution: z.string().optional(),
  arguments: z.string().optional(),
  argumentsDigest: z.string().optional(),
})

const executionSchema = z.object({ execution_id: z.string() })

/** What the checksum covers; whether it is acceptable is the server's to say. */
const componentsSchema = z.strictObject({
  agent_id: z.string(),
  prompt_template: z.string(),
  tools: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string().optional(),
      parameters: z.record(z.string(), z.json()).optional(),
      source_digest: z.string().optional(),
    }),
  ),
  configuration: z.record(z.string(), z.json()).optional(),
})

export function addTokenMint(token: Command): void {
  addSubjectTokenOptions(addCredentialOptions(token.command('mint')))
    .description('get an intent token for an agent; the token alone is written to standard output')
    .addOption(new Option('--file <file>', 'components of the agent; their checksum is computed').conflicts('checksum'))
    .option('--checksum <hex>', 'its checksum, where the components are not at hand')
    .option('--agent <id>', 'agent_id (default: that of the components)')
    .requiredOption('--scope <scopes>', 'scopes, separated by spaces')
    .requiredOption('--resource <uri>', 'the API that the token is for')
    .option('--key <file>', 'private JWK of the agent: the token is bound to it (DPoP)')
    .option('--key-statement <file>', 'vouches for --key where that is not registered ("agent key endorse")')
    .option('--workflow <id>', 'the workflow that the agent acts in')
    .option('--step <id>', 'the step that it acts in')
    .option('--delegation <file>', 'the assertion by which another agent gave it the task ("remit delegate")')
    .option('--completed <ids>', 'steps done before, separated by commas')
    .option('--execution <id>', 'the execution that the step belongs to; without it an entry step opens one')
    .addOption(
      new Option(
        '--arguments <file>',
        'what the step is done with, where it needs an approval (JSON or YAML)',
      ).conflicts('argumentsDigest'),
    )
    .option('--arguments-digest <digest>', 'of what was approved: enough to mint again while the step is entered')
    .addHelpText('after', HELP)
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const options = mintOptions.parse(command.opts())
      const { agent_id, computed_checksum } = await identify(options)
      const credential = await readCredential(command)
      const key = options.key === undefined ? undefined : await readKeyFile(options.key)
      const metadata = await discover(await issuerOf(session))
      const { workflow, step, completed, delegation, keyStatement } = options
      const subject = await readSubjectToken(command)
      const details = await detailsOf(options)
      const parameters = {
        // Token exchange with an agent_id is the agent grant for somebody (protocol.md section 6).
        grant_type: subject ? TOKEN_EXCHANGE_GRANT : AGENT_GRANT,
        ...subject,
        agent_id,
        computed_checksum,
        scope: options.scope,
        resource: options.resource,
        ...(workflow !== undefined && { workflow_enabled: 'true', workflow_id: workflow }),
        ...(step !== undefined && { workflow_step: step }),
        ...(options.execution !== undefined && { execution_id: options.execution }),
        ...(details !== undefined && { authorization_details: details }),
        ...(delegation !== undefined && { delegation_assertion: await readSecret(delegation) }),
        ...(keyStatement !== undefined && { key_statement: await readSecret(keyStatement) }),
        ...(completed !== undefined && {
          delegation_context: JSON.stringify({ completed_steps: completed.split(',').filter(id => id !== '') }),
        }),
      }
      const answer = await requestToken(session, metadata, credential, parameters, key)
      session.out.note(`${answer.token_type} token for ${options.resource}, good for ${answer.expires_in} s`)
      const execution = executionSchema.safeParse(answer).data
      if (execution) session.out.note(`Of execution ${execution.execution_id}: later steps name it with --execution.`)
      session.out.result(answer, answer.access_token)
    })
}

/** RFC 9396: the step with its arguments, whose digest the server makes, or with that alone. Throws CliFailure. */
async function detailsOf(options: z.output<typeof mintOptions>): Promise<string | undefined> {
  const { workflow, step, execution, arguments: file, argumentsDigest: arguments_digest } = options
  if (file === undefined && arguments_digest === undefined) return undefined
  if (workflow === undefined || step === undefined) {
    throw wrongUsage('Give --workflow and --step, whose arguments these are.')
  }
  const named = {
    workflow_id: workflow,
    workflow_step: step,
    ...(execution !== undefined && { execution_id: execution }),
  }
  const sent = file === undefined ? { arguments_digest } : { arguments: await readObject(file) }
  return JSON.stringify([{ type: WORKFLOW_STEP_TYPE, ...named, ...sent }])
}

async function identify({ agent, file, checksum }: z.output<typeof mintOptions>) {
  if (file === undefined) {
    if (agent === undefined || checksum === undefined) throw wrongUsage('Give --file FILE, or --agent and --checksum.')
    return { agent_id: agent, computed_checksum: checksum }
  }
  const parsed = componentsSchema.safeParse(await readObject(file))
  if (parsed.success) {
    return { agent_id: agent ?? parsed.data.agent_id, computed_checksum: agentChecksum(parsed.data) }
  }
  const [issue] = parsed.error.issues
  throw new CliFailure('file_malformed', `The components in ${file}: ${issue?.path.join('.')}: ${issue?.message}`)
}
