import type { Command } from 'commander'
import { z } from 'zod'
import { importPublicJwk } from '../protocol/jwk.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { withNewFile } from './files.ts'
import { withNewKeyFile } from './keys.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const HELP = `
For one process of a fleet, whose public key somebody vouches for:
  remit keygen process-key.json --public process.json
  remit agent key endorse my-app planner process.json --client-key client-key.json`

const keygenOptions = z.object({ public: z.string().optional() })

/** `remit keygen`: asks nothing of the server. */
export function addKeygenCommand(program: Command): void {
  program
    .command('keygen')
    .description('make a P-256 key, registered nowhere yet')
    .argument('<file>', 'write the private JWK to this new file (0600)')
    .option('--public <file>', 'write the public JWK to this new file')
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => {
      const { out } = openSession(command)
      const { public: publicFile } = keygenOptions.parse(command.opts())
      const { jwk, jkt } = await withNewKeyFile(file, key => publicPart(key, publicFile))
      const made = { key_file: file, ...(publicFile !== undefined && { public_file: publicFile }), jkt, jwk }
      out.result(made, recordText(made))
    })
}

async function publicPart({ publicJwk }: HolderKey, file: string | undefined) {
  if (file !== undefined) await withNewFile(file, async made => made.write(`${JSON.stringify(publicJwk)}\n`))
  return await importPublicJwk(publicJwk)
}
