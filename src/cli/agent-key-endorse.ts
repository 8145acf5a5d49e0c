import { type Command, Option } from 'commander'
import { z } from 'zod'
import { KEY_STATEMENT_MAX_LIFETIME } from '../protocol/time.ts'
import { wrongUsage } from './failure.ts'
import { readPublicJwk, statementFor } from './key-statement.ts'
import { readKeyFile } from './keys.ts'
import { issuerOf } from './profile.ts'
import { openSession } from './session.ts'

const HELP = `
Example, for a process whose public JWK is in process.json:
  remit agent key endorse my-app planner process.json --client-key client-key.json --lifetime 3600
The process sends what is printed as key_statement with each token request.`

const signerOptions = z.object({ clientKey: z.string().optional(), agentKey: z.string().optional() })
const lifetimeOption = z.object({
  lifetime: z
    .string()
    .regex(/^[1-9][0-9]{0,4}$/)
    .transform(Number)
    .pipe(z.int().max(KEY_STATEMENT_MAX_LIFETIME)),
})

/** `remit agent key endorse`: asks nothing of the server. */
export function addAgentKeyEndorseCommand(key: Command): void {
  key
    .command('endorse')
    .description('vouch for the key of one process: prints a key statement for its token requests')
    .argument('<client_id>')
    .argument('<agent_id>')
    .argument('<file>', 'public JWK of the process, "-" for standard input')
    .addOption(new Option('--client-key <file>', 'private JWK of the client, which signs').conflicts('agentKey'))
    .option('--agent-key <file>', 'private JWK of a registered key of the agent, which signs')
    .option('--lifetime <seconds>', `how long it admits the key, at most ${KEY_STATEMENT_MAX_LIFETIME}`, '3600')
    .addHelpText('after', HELP)
    .action(endorse)
}

async function endorse(
  client_id: string,
  agent_id: string,
  file: string,
  _options: unknown,
  command: Command,
): Promise<void> {
  const session = openSession(command)
  const { clientKey, agentKey } = signerOptions.parse(command.opts())
  const lifetime = lifetimeOption.safeParse(command.opts()).data?.lifetime
  if (lifetime === undefined) throw wrongUsage(`--lifetime is a number from 1 to ${KEY_STATEMENT_MAX_LIFETIME}.`)
  const signerFile = clientKey ?? agentKey
  if (signerFile === undefined) throw wrongUsage('Give --client-key FILE or --agent-key FILE.')
  const signer = await readKeyFile(signerFile)
  // Not asked of the server: a statement can be made where there is no way to it.
  const issuer = await issuerOf(session)
  const of = { issuer, client_id, agent_id, byClient: clientKey !== undefined }
  const key_statement = await statementFor(session, signer, of, await readPublicJwk(file), lifetime)
  session.out.note(`It admits the key for ${lifetime} s, as ${agent_id} of ${client_id} at ${issuer}.`)
  session.out.result({ key_statement, expires_in: lifetime }, key_statement)
}
