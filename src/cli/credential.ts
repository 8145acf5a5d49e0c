import { type Command, Option } from 'commander'
import { z } from 'zod'
import { wrongUsage } from './failure.ts'
import { readSecret } from './files.ts'
import { readKeyFile } from './keys.ts'
import type { ClientCredential } from './token-client.ts'

const credentialOptions = z.object({
  client: z.string(),
  clientKey: z.string().optional(),
  secretFile: z.string().optional(),
})

/** The options by which a command acts as one client. */
export function addCredentialOptions(command: Command): Command {
  return addProofOptions(command.requiredOption('--client <id>', 'client to act as'))
}

/** Those of a command that acts as the administrator of the profile where no client is named. */
export function addClientOrAdminOptions(command: Command): Command {
  return addProofOptions(
    command.option('--client <id>', 'client to act as (default: the administrator of the profile)'),
  )
}

function addProofOptions(command: Command): Command {
  return command
    .addOption(new Option('--client-key <file>', 'private JWK of a private_key_jwt client').conflicts('secretFile'))
    .option('--secret-file <file>', 'file with the secret of a client_secret_basic client ("-": standard input)')
}

/** The option of a CI job, which registers as itself and not as the client alone. */
export function addForeignTokenOption(command: Command): Command {
  return command.option('--token-file <file>', 'token of a trusted issuer: register as the workload that it names')
}

/** The token that is exchanged, where there is one. Throws CliFailure. */
export async function readForeignToken(command: Command): Promise<string | undefined> {
  const { tokenFile } = z.object({ tokenFile: z.string().optional() }).parse(command.opts())
  return tokenFile === undefined ? undefined : await readSecret(tokenFile)
}

/** Throws CliFailure. */
export async function readCredential(command: Command): Promise<ClientCredential> {
  const { client, clientKey, secretFile } = credentialOptions.parse(command.opts())
  if (clientKey !== undefined) return { client_id: client, key: await readKeyFile(clientKey) }
  if (secretFile !== undefined) return { client_id: client, client_secret: await readSecret(secretFile) }
  throw wrongUsage('Give --client-key FILE or --secret-file FILE.')
}

/** The credential where a client is named, nothing for the administrator. Throws CliFailure. */
export async function readClientOrAdmin(command: Command): Promise<ClientCredential | undefined> {
  const { client, clientKey, secretFile } = credentialOptions.partial().parse(command.opts())
  if (client !== undefined) return await readCredential(command)
  if (clientKey === undefined && secretFile === undefined) return undefined
  throw wrongUsage('Give --client ID, whose key or secret this is.')
}
