import { sharesHost, urlProblem } from './addresses.ts'
import type { Config } from './config.ts'

/** A misspelt name would otherwise be a setting that silently does nothing. */
export function unknownVariables(given: Record<string, unknown>, known: readonly string[]): string[] {
  const unknown = Object.keys(given).filter(name => name.startsWith('REMIT_') && !known.includes(name))
  return unknown.sort().map(name => `${name} is not a setting of Remit: correct its name or remove it.`)
}

/** Production has no development default (protocol.md section 11). */
export function productionProblems(given: Record<string, string | undefined>): string[] {
  const missing = {
    DATABASE_URL: 'DATABASE_URL is required in production: the embedded Postgres is for development.',
    REMIT_ISSUER: 'REMIT_ISSUER is required in production: the https URL under which clients reach this server.',
    REMIT_KEK_FILE: 'REMIT_KEK_FILE is required in production: a file with 32 random bytes in hex, mode 0600.',
    REMIT_BOOTSTRAP_TOKEN_FILE:
      'REMIT_BOOTSTRAP_TOKEN_FILE is required in production: a file with the one-time token, mode 0600.',
  }
  const problems = Object.entries(missing).flatMap(([name, sentence]) => (given[name] ? [] : [sentence]))
  if (given.REMIT_ISSUER?.startsWith('http:')) problems.push('REMIT_ISSUER must be an https URL in production.')
  if (given.REMIT_ADMIN_LISTEN === 'same') {
    problems.push('REMIT_ADMIN_LISTEN=same is refused in production: give the admin API a listener of its own.')
  }
  if (given.REMIT_ALLOW_PRIVATE_FETCH) {
    problems.push('REMIT_ALLOW_PRIVATE_FETCH is refused in production: it opens this network to whoever names a URL.')
  }
  return problems
}

/** What only shows once both listeners are known. */
export function addressProblems(config: Config, given: Record<string, string | undefined>): string[] {
  const problems: string[] = []
  const { adminListen } = config
  if (!given.REMIT_ISSUER && issuerProblem(config.issuer)) {
    problems.push('REMIT_ISSUER is required when REMIT_HOST is not a loopback address: an https URL.')
  }
  if (!given.REMIT_ADMIN_URL && adminListen !== 'same' && adminUrlProblem(config.adminUrl)) {
    problems.push('REMIT_ADMIN_URL is required when REMIT_ADMIN_LISTEN is not a loopback address: an https URL.')
  }
  if (adminListen !== 'same' && adminListen.port === config.port && sharesHost(adminListen.host, config.host)) {
    problems.push('REMIT_ADMIN_LISTEN and REMIT_PORT name the same address: choose another port, or write same.')
  }
  if (adminListen === 'same' && config.adminUrl !== config.issuer) {
    problems.push('REMIT_ADMIN_URL must be absent with REMIT_ADMIN_LISTEN=same: the issuer is the admin base then.')
  }
  return problems
}

export function issuerProblem(text: string): string | undefined {
  return urlProblem('REMIT_ISSUER', text)
}

export function adminUrlProblem(text: string): string | undefined {
  return urlProblem('REMIT_ADMIN_URL', text)
}
