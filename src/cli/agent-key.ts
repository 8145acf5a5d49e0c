import { type Command, Option } from 'commander'
import { z } from 'zod'
import { importPublicJwk } from '../protocol/jwk.ts'
import { agentSubject } from '../protocol/names.ts'
import { type HolderKey, signKeyStatement } from '../protocol/sign.ts'
import { epochSeconds, KEY_STATEMENT_MAX_LIFETIME, KEY_STATEMENT_ONCE_MAX_LIFETIME } from '../protocol/time.ts'
import { readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readObject } from './files.ts'
import { fetchJson } from './http.ts'
import { publicMembers, readKeyFile, withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import { issuerOf } from './profile.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'
import { discover } from './token-client.ts'

const COLUMNS = ['kid', 'kty', 'alg']
const rowsSchema = z.array(z.record(z.string(), z.unknown()))
const ENDORSE_HELP = `
Example, for a process whose public JWK is in process.json:
  remit agent key endorse my-app planner process.json --client-key client-key.json --lifetime 3600
The process sends what is printed as key_statement with each token request.`

const signerOptions = z.object({ clientKey: z.string().optional(), agentKey: z.string().optional() })
const addOptions = z.object({
  app: z.string().optional(),
  key: z.string().optional(),
  generateKey: z.string().optional(),
  signer: z.string(),
  signerIsClient: z.boolean().default(false),
})
const appOption = z.object({ app: z.string().optional() })
const lifetimeOption = z.object({
  lifetime: z
    .string()
    .regex(/^[1-9][0-9]{0,4}$/)
    .transform(Number)
    .pipe(z.int().max(KEY_STATEMENT_MAX_LIFETIME)),
})

/** remit agent key add, list, remove, endorse. */
export function addAgentKeyCommand(agent: Command): void {
  const key = agent.command('key').description('the keys of an agent')
  addCredentialOptions(key.command('add'))
    .description('register one more key, vouched for by a registered key of the agent or by its client')
    .argument('<agent_id>')
    .addOption(new Option('--key <file>', 'JWK whose public half is registered').conflicts('generateKey'))
    .option('--generate-key <file>', 'make a P-256 key in this new file (0600) and register its public half')
    .requiredOption('--signer <file>', 'private JWK that vouches: a registered key of the agent')
    .option('--signer-is-client', 'the signer is a key of the client instead (its policy "agent_keys: endorsed")')
    .option('--app <id>', 'client that has the agent (default: --client)')
    .action(addKey)
  key
    .command('list')
    .description('list the registered keys of an agent, as everybody may see them')
    .argument('<client_id>')
    .argument('<agent_id>')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const { issuer } = await discover(await issuerOf(session))
      const { body } = await fetchJson(`${issuer}${agentPath(client_id, agent_id)}/jwks`)
      const keys = rowsSchema.parse(readRecord(body).keys)
      session.out.result(keys, tableText(COLUMNS, keys))
    })
  addCredentialOptions(key.command('remove'))
    .description('remove a registered key, and every key that it endorsed')
    .argument('<agent_id>')
    .argument('<jkt>', 'its thumbprint')
    .option('--app <id>', 'client that has the agent (default: --client)')
    .action(async (agent_id: string, jkt: string, _options, command: Command) => {
      const session = openSession(command)
      const credential = await readCredential(command)
      const { app = credential.client_id } = appOption.parse(command.opts())
      const api = await registrationClient(session, credential, 'register:intent')
      const record = readRecord(await api.delete(`${agentPath(app, agent_id)}/keys/${encodeURIComponent(jkt)}`))
      session.out.result(record, recordText(record))
    })
  key
    .command('endorse')
    .description('vouch for the key of one process: prints a key statement for its token requests')
    .argument('<client_id>')
    .argument('<agent_id>')
    .argument('<file>', 'public JWK of the process, "-" for standard input')
    .addOption(new Option('--client-key <file>', 'private JWK of the client, which signs').conflicts('agentKey'))
    .option('--agent-key <file>', 'private JWK of a registered key of the agent, which signs')
    .option('--lifetime <seconds>', `how long it admits the key, at most ${KEY_STATEMENT_MAX_LIFETIME}`, '3600')
    .addHelpText('after', ENDORSE_HELP)
    .action(endorse)
}

async function addKey(agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const options = addOptions.parse(command.opts())
  const credential = await readCredential(command)
  const { app = credential.client_id } = options
  const signer = await readKeyFile(options.signer)
  const api = await registrationClient(session, credential, 'register:intent')
  const { issuer } = await discover(await issuerOf(session))
  const add = async (jwk: object) => {
    const of = { issuer, client_id: app, agent_id, byClient: options.signerIsClient }
    const key_statement = await statementFor(session, signer, of, jwk, KEY_STATEMENT_ONCE_MAX_LIFETIME)
    return await api.post(`${agentPath(app, agent_id)}/keys`, { jwk, key_statement })
  }
  const added = await (options.generateKey === undefined
    ? add(await readPublicJwk(options.key))
    : withNewKeyFile(options.generateKey, holder => add(holder.publicJwk)))
  const record = readRecord(added)
  session.out.result(record, recordText(record))
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

type StatementFor = { issuer: string; client_id: string; agent_id: string; byClient: boolean }

async function statementFor(
  session: Session,
  signer: HolderKey,
  { issuer, client_id, agent_id, byClient }: StatementFor,
  jwk: object,
  lifetime: number,
): Promise<string> {
  const sub = agentSubject(client_id, agent_id)
  const { jkt } = await importPublicJwk({ ...jwk })
  const iat = epochSeconds(session.now())
  const iss = byClient ? client_id : sub
  return await signKeyStatement(signer, {
    iss,
    sub,
    aud: issuer,
    jkt,
    iat,
    exp: iat + lifetime,
    jti: session.randomId(),
  })
}

/** The public half of a JWK in a file, private or not. Throws CliFailure. */
async function readPublicJwk(file: string | undefined): Promise<object> {
  if (file === undefined) throw wrongUsage('Give --key FILE or --generate-key FILE.')
  const jwk = publicMembers(await readObject(file))
  await importPublicJwk(jwk).catch(() => {
    throw new CliFailure('key_malformed', `The file ${file} is not a usable JWK.`, {
      next: 'It holds one public key: Ed25519, P-256, or RSA of 2048 bits or more.',
    })
  })
  return jwk
}

function agentPath(client_id: string, agent_id: string): string {
  return `/intent/agents/${encodeURIComponent(client_id)}/${encodeURIComponent(agent_id)}`
}
