import { type Command, Option } from 'commander'
import { z } from 'zod'
import { CHECKSUM_PROFILES, type ChecksumProfile } from '../protocol/agent.ts'
import { OAuthError } from '../protocol/errors.ts'
import { parseExactJsonText } from '../protocol/exact-json.ts'
import { isJsonObject } from '../protocol/json.ts'
import { CliFailure } from './failure.ts'
import { parseObject, readText } from './files.ts'

/** How the parts of an agent stand in a file, and what of a registration `create` and `preview` share. */
export const FILE_HELP = `
FILE holds the parts of the agent, in JSON or YAML, for example:
  agent_id: hello
  prompt_template: Say hello to {name}.
  tools: [{ name: greet, description: Greets one person, parameters: { type: object } }]`

/** Of `addVersionOptions`. */
export const versionOptions = z.object({
  checksumProfile: z.enum(CHECKSUM_PROFILES).default('jcs'),
  drain: z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,5})$/)
    .transform(Number)
    .optional(),
})

/** The options of a version itself; `--profile` is already the file that says who you are. */
export function addVersionOptions(command: Command): Command {
  return command
    .option('--drain <seconds>', 'let the older version mint for so long beside the new one')
    .addOption(new Option('--checksum-profile <name>', 'how the parts are hashed').choices(CHECKSUM_PROFILES))
}

/**
 * The parts of an agent from a file. For profile `reference` the numbers keep the form in which the file has them, so
 * the file is JSON: YAML forgets it. Throws CliFailure.
 */
export async function readComponents(path: string, profile: ChecksumProfile): Promise<unknown> {
  const content = await readText(path)
  if (profile === 'jcs') return parseObject(path, content)
  if (!content.trimStart().startsWith('{')) {
    throw new CliFailure(
      'file_malformed',
      `The file ${path} is no JSON: profile reference hashes how numbers are written.`,
      {
        next: 'Write the file in JSON, with 0.0 where Python has 0.0.',
      },
    )
  }
  return exactObject(path, content)
}

function exactObject(path: string, content: string): unknown {
  try {
    const value = parseExactJsonText(content)
    if (isJsonObject(value)) return value
  } catch (error) {
    throw new CliFailure('file_malformed', `The file ${path}: ${error instanceof OAuthError ? error.message : error}`)
  }
  throw new CliFailure('file_malformed', `The file ${path} does not hold an object.`)
}
