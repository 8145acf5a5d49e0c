import type { Command } from 'commander'
import { z } from 'zod'
import { accessSchema } from '../protocol/access.ts'
import { holderKey } from '../protocol/holder-key.ts'
import { agentIdSchema, clientIdSchema } from '../protocol/names.ts'
import { collectAccess } from './access-option.ts'
import { wrongUsage } from './failure.ts'
import { readObject, withNewFile } from './files.ts'
import { recordText } from './output.ts'
import { issuerOf } from './profile.ts'
import { openSession } from './session.ts'

const HELP = `
Example, for createAgent({ ...settings, prompt, tools }) of remit/shim:
  remit agent settings my-app planner remit.json --client-key client-key.json --access "https://api.example.test read"
The file holds the client's private key: keep it out of version control.`

const settingsOptions = z.object({ clientKey: z.string(), access: accessSchema.min(1) })

/** `remit agent settings`: asks nothing of the server. */
export function addAgentSettingsCommand(agent: Command): void {
  agent
    .command('settings')
    .description('write what the shim needs beside prompt and tools into a new file (0600)')
    .argument('<client_id>')
    .argument('<agent_id>')
    .argument('<file>', 'the new file')
    .requiredOption('--client-key <file>', 'private JWK of the client')
    .option('--access <pair>', 'what the agent asks for, "RESOURCE SCOPE…"; several times', collectAccess)
    .addHelpText('after', HELP)
    .action(writeSettings)
}

async function writeSettings(
  client: string,
  agent: string,
  file: string,
  _options: unknown,
  command: Command,
): Promise<void> {
  const session = openSession(command)
  const options = settingsOptions.safeParse(command.opts())
  const named = [clientIdSchema.safeParse(client), agentIdSchema.safeParse(agent)]
  if (!named.every(name => name.success)) throw wrongUsage('Name a client and an agent as they are registered.')
  if (!options.success) throw wrongUsage('Give --access "RESOURCE SCOPE…", once for each API.')
  const key = await readObject(options.data.clientKey)
  await holderKey(key)
  const issuer = await issuerOf(session)
  const access = options.data.access.map(({ resource, scope }) => ({ resource, scope: scope.split(' ') }))
  const settings = { issuer, client: { client_id: client, key }, agent_id: agent, access }
  await withNewFile(file, async made => made.write(`${JSON.stringify(settings, null, 2)}\n`))
  const written = { settings_file: file, issuer, client_id: client, agent_id: agent, access: options.data.access }
  session.out.result(written, recordText(written))
}
