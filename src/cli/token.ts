import type { Command } from 'commander'
import { addTokenDecode } from './token-decode.ts'
import { addTokenIntrospect } from './token-introspect.ts'
import { addTokenMint } from './token-mint.ts'
import { addTokenVerify } from './token-verify.ts'

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('intent tokens: get one, read one, check one')
  addTokenMint(token)
  addTokenDecode(token)
  addTokenVerify(token)
  addTokenIntrospect(token)
}
