import { type Command, Option } from 'commander'
import { z } from 'zod'
import { KEY_STATEMENT_ONCE_MAX_LIFETIME } from '../protocol/time.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { addAgentKeyEndorseCommand } from './agent-key-endorse.ts'
import { agentPath, intentAgentPath } from './agent-path.ts'
import { addClientOrAdminOptions, readClientOrAdmin } from './credential.ts'
import { wrongUsage } from './failure.ts'
import { fetchJson } from './http.ts'
import { readPublicJwk, statementFor } from './key-statement.ts'
import { readKeyFile, withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import { issuerOf } from './profile.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'
import { type ClientCredential, discover } from './token-client.ts'

const COLUMNS = ['kid', 'kty', 'alg']
const rowsSchema = z.array(z.record(z.string(), z.unknown()))
const ADD_HELP = `
As a client (--client), a key that the agent or its client already has vouches for the new one: --signer. As an
administrator you vouch for it yourself, as another owner than the client's, and without --signer.`

const addOptions = z.object({
  key: z.string().optional(),
  generateKey: z.string().optional(),
  signer: z.string().optional(),
  signerIsClient: z.boolean().default(false),
})
type AddOptions = z.output<typeof addOptions>

/** `remit agent key add`, `list`, `remove` and `endorse`. */
export function addAgentKeyCommand(agent: Command): void {
  const key = agent.command('key').description('the keys of an agent')
  addClientOrAdminOptions(ofAgent(key, 'add', 'register one more key of an agent'))
    .addOption(new Option('--key <file>', 'JWK whose public half is registered').conflicts('generateKey'))
    .option('--generate-key <file>', 'make a P-256 key in this new file (0600) and register its public half')
    .option('--signer <file>', 'private JWK that vouches: a registered key of the agent')
    .option('--signer-is-client', 'the signer is a key of the client instead (its policy "agent_keys: endorsed")')
    .addHelpText('after', ADD_HELP)
    .action(addKey)
  ofAgent(key, 'list', 'list the registered keys of an agent, as everybody may see them').action(listKeys)
  addClientOrAdminOptions(
    ofAgent(key, 'remove', 'remove a registered key, and every key that it was the last to endorse'),
  )
    .argument('<jkt>', 'its thumbprint')
    .action(removeKey)
  addAgentKeyEndorseCommand(key)
}

function ofAgent(key: Command, name: string, description: string): Command {
  return key.command(name).description(description).argument('<client_id>').argument('<agent_id>')
}

async function addKey(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const options = addOptions.parse(command.opts())
  const credential = await readClientOrAdmin(command)
  const add = await (credential
    ? addAsClient(session, { client_id, agent_id }, credential, options)
    : addAsAdmin(session, { client_id, agent_id }, options))
  const { generateKey } = options
  const added = await (generateKey === undefined
    ? add(await readPublicJwk(options.key))
    : withNewKeyFile(generateKey, holder => add(holder.publicJwk)))
  const record = readRecord(added)
  session.out.result(record, recordText(record))
}

type AgentName = { readonly client_id: string; readonly agent_id: string }
type AddJwk = (jwk: object) => Promise<unknown>

async function addAsAdmin(
  session: Session,
  { client_id, agent_id }: AgentName,
  { signer, signerIsClient }: AddOptions,
): Promise<AddJwk> {
  if (signer !== undefined || signerIsClient) {
    throw wrongUsage('A signer vouches where a client registers the key: give --client ID too, or no signer.')
  }
  const api = await adminClient(session, 'approve:agents')
  return async jwk => await api.post(`${agentPath(client_id, agent_id)}/keys`, { jwk })
}

async function addAsClient(
  session: Session,
  name: AgentName,
  credential: ClientCredential,
  { signer: file, signerIsClient: byClient }: AddOptions,
): Promise<AddJwk> {
  if (file === undefined) throw wrongUsage('Give --signer FILE: a key that the agent or its client already has.')
  const signer = await readKeyFile(file)
  const api = await registrationClient(session, credential, 'register:intent')
  const { issuer } = await discover(await issuerOf(session))
  return async jwk => {
    const of = { ...name, issuer, byClient }
    const key_statement = await statementFor(session, signer, of, jwk, KEY_STATEMENT_ONCE_MAX_LIFETIME)
    return await api.post(`${intentAgentPath(name.client_id, name.agent_id)}/keys`, { jwk, key_statement })
  }
}

async function listKeys(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { issuer } = await discover(await issuerOf(session))
  const { body } = await fetchJson(`${issuer}${intentAgentPath(client_id, agent_id)}/jwks`)
  const keys = rowsSchema.parse(readRecord(body).keys)
  session.out.result(keys, tableText(COLUMNS, keys))
}

async function removeKey(
  client_id: string,
  agent_id: string,
  jkt: string,
  _options: unknown,
  command: Command,
): Promise<void> {
  const session = openSession(command)
  const credential = await readClientOrAdmin(command)
  const api = await (credential
    ? registrationClient(session, credential, 'register:intent')
    : adminClient(session, 'approve:agents'))
  const path = (credential ? intentAgentPath : agentPath)(client_id, agent_id)
  const record = readRecord(await api.delete(`${path}/keys/${encodeURIComponent(jkt)}`))
  session.out.result(record, recordText(record))
}
