/** `POST /{tenant}/oauth2/v2.0/token` and `POST /{tenant}/oauth2/token`: one grant for each flow. */
import { grantByCode } from './authorizationCode.ts';
import { grantClient } from './clientCredentials.ts';
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import { required, type TokenRequest } from './tokenRequest.ts';
import { grantByPassword, grantByRefreshToken } from './userGrants.ts';
import { nowOf, type World } from './world.ts';

export async function answerTokenRequest(world: World, request: TokenRequest): Promise<Answer> {
  try {
    const grantType = required(request, 'grant_type');
    switch (grantType) {
      case 'client_credentials':
        return await grantClient(world, request);
      case 'authorization_code':
        return await grantByCode(world, request);
      case 'password':
        return await grantByPassword(world, request);
      case 'refresh_token':
        return await grantByRefreshToken(world, request);
      default:
        throw new EntraRefusal(70003, grantType);
    }
  } catch (error) {
    if (error instanceof EntraRefusal) return error.answer(nowOf(world));
    throw error;
  }
}
