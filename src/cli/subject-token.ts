import type { Command } from 'commander'
import { z } from 'zod'
import { JWT_TYPE } from '../protocol/grant-types.ts'
import { wrongUsage } from './failure.ts'
import { readSecret } from './files.ts'

/** RFC 8693 section 3. */
const subjectTokenOptions = z.object({
  subjectTokenFile: z.string().optional(),
  subjectTokenType: z.string().optional(),
})

/** The options that name whose intent a command serves (RFC 8693 section 2.1). */
export function addSubjectTokenOptions(command: Command): Command {
  return command
    .option(
      '--subject-token-file <file>',
      'token of the user whom it serves, from a trusted issuer ("-": standard input)',
    )
    .option('--subject-token-type <uri>', `what that token is (default: ${JWT_TYPE})`)
}

/** The two parameters, or none. Throws CliFailure. */
export async function readSubjectToken(command: Command) {
  const { subjectTokenFile: file, subjectTokenType: type } = subjectTokenOptions.parse(command.opts())
  if (file === undefined && type !== undefined) throw wrongUsage('Give --subject-token-file FILE, whose type this is.')
  if (file === undefined) return undefined
  return { subject_token: await readSecret(file), subject_token_type: type ?? JWT_TYPE }
}
