import type {} from 'fastify'
import type { AdminScope, IssuerScope } from '../../protocol/own-resources.ts'

/**
 * What a route demands. Every route declares one, or the server does not start (deny by default).
 * - `public`: anyone; the answer holds nothing that is not public;
 * - `client`: OAuth client authentication, done by the token, introspection and revocation endpoints themselves;
 * - `bootstrap`: the one-time token;
 * - `console`: the code of a link or the cookie of a session, read by the console's own endpoints;
 * - an access token of ours for `<issuer>` or `<issuer>/admin` with this scope, `any` standing for one admin scope or more;
 *   for the latter a console session serves too.
 */
export type Permission =
  | 'public'
  | 'client'
  | 'bootstrap'
  | 'console'
  | { readonly audience: 'issuer'; readonly scope: IssuerScope }
  | { readonly audience: 'admin'; readonly scope: AdminScope | 'any' }

declare module 'fastify' {
  interface FastifyContextConfig {
    permission?: Permission
  }
}
