import type { Command } from 'commander'
import { type CompactJws, parseCompactJws } from '../protocol/compact-jws.ts'
import { OAuthError } from '../protocol/errors.ts'
import { CliFailure } from './failure.ts'
import { readSecret } from './files.ts'
import { openSession } from './session.ts'

export function addTokenDecode(token: Command): void {
  token
    .command('decode')
    .description('show what a token says, WITHOUT checking whether it is true')
    .argument('<token>', 'the token, or "-" for standard input')
    .action(async (text: string, _options, command: Command) => {
      const { out } = openSession(command)
      const { header, payload } = decodeToken(await readToken(text))
      out.note('Not verified: anybody can write such a token. "remit token verify" checks it.')
      out.result({ verified: false, header, payload }, JSON.stringify({ header, payload }, null, 2))
    })
}

/** The token itself, or what stands on standard input for `-`. */
export async function readToken(text: string): Promise<string> {
  return text === '-' ? await readSecret('-') : text
}

/** Header and payload of a token whose signature nobody looked at. Throws CliFailure. */
export function decodeToken(token: string): CompactJws {
  try {
    return parseCompactJws(token)
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    throw new CliFailure('token_malformed', 'The text is not a token: three parts of base64url with dots between.')
  }
}
